"""An alert rule that is deployed, its query run, its alert received: the sweep is about that state at that machine."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from adapters.clients import Clients
from adapters.log_queries import Result, answer_queries
from detectors.alerting import ALERTABLE, DIMENSIONS
from detectors.protocol import kql
from engine.settings import Settings
from model.facts import Unreadable
from simulator.fleets import generate
from simulator.serve import Simulator, running
from tests.infra.bicep import INFRA
from tests.triggers.payloads import an_alert
from triggers.alert_schema import alert_in, machines_of, states_of

EVERY = {*(f"PT{minutes}M" for minutes in (5, 10, 15, 30, 45)), *(f"PT{hours}H" for hours in range(1, 7)), "P1D"}
"""How often Azure asks for a log alert."""
RULES = json.loads((INFRA / "generated" / "alert-rules.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def azure() -> Iterator[Simulator]:
    with running(generate(machines=300, seed=11, injured=0.2)) as azure:
        yield azure


@pytest.fixture(scope="module")
def answers(azure: Simulator) -> dict[str, Result]:
    """What the rules' queries find in an estate with many injuries."""
    clients = Clients(azure.settings["PATCHWRIGHT_CLOUD"], read_only=True)
    queries = {alert.query: kql(alert.query) for alert in ALERTABLE.values()}
    return answer_queries(clients, azure.workspace_guid, queries)


def test_the_estate_sets_most_rules_off(answers: dict[str, Result]) -> None:
    """So that what follows is no promise about nothing."""
    silent = {name for name, rows in answers.items() if isinstance(rows, Unreadable) or not rows}
    assert len(answers) - len(silent) >= 5, silent


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["state"])
def test_a_rule_s_alert_is_about_its_state_at_one_machine(
    rule: dict[str, str], azure: Simulator, answers: dict[str, Result]
) -> None:
    settings = Settings.from_env(azure.settings)
    rows = answers[rule["query"]]
    assert not isinstance(rows, Unreadable), rows
    for row in rows[:50]:
        # Azure splits by text only, and an alert carries each dimension as text.
        dimensions = {name: row[name] for name in DIMENSIONS}
        assert all(isinstance(value, str) for value in dimensions.values())
        alert = alert_in(
            an_alert(
                settings.workspace,
                dimensions={name: str(value) for name, value in dimensions.items()},
                properties={"patchwright.state": rule["state"]},
            )
        )
        assert [state.value for state in states_of(alert) or ()] == [rule["state"]]
        machine = str(row["MachineId"])
        expected = machine if machine.startswith("/") else f"name:{str(row['Computer']).lower()}"
        assert machines_of(alert, settings) == (expected,)


def test_every_rule_fits_what_azure_takes() -> None:
    """Durations that a log alert may have, and severities from 0 to 4; six dimensions at most."""
    for rule in RULES:
        assert rule["every"] in EVERY
        assert 0 <= rule["severity"] <= 4
        assert [dimension["name"] for dimension in rule["dimensions"]] == [*DIMENSIONS]
        assert all(dimension["values"] == ["*"] for dimension in rule["dimensions"])
