"""Deployments that select by classifications which their Linux machines do not have."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from detectors.linux_classification_caveat import LinuxClassificationCaveat
from model.documents import Document, Json
from model.facts import Facts, Machine
from model.findings import Finding
from tests.builders import SUBSCRIPTION, a_body, a_machine, facts, update_deployment
from tests.detectors.answers import answer, unknown

CENT, UBUNTU, WIN = a_machine("cent-01", os="Linux"), a_machine("ubu-01", os="Linux"), a_machine("win-01")
GOV = dataclasses.replace(a_machine("gov-01", os="Linux"), location="usgovvirginia")
CHINA = dataclasses.replace(a_machine("cn-01", os="Linux"), location="chinanorth3")


def a_beat(machine: Machine | str = CENT) -> Document:
    outside = isinstance(machine, str)
    return {
        "MachineId": "vmuuid:x" if outside else machine.id,  # type: ignore[union-attr]
        "Computer": machine if isinstance(machine, str) else machine.name,
        "OSName": "CentOS",
    }


def world(
    classes: str | None = "Critical, Security", *, beats: Any = None, unreadable: Any = None, **changed: Any
) -> Facts:
    body: dict[str, Any] = {"machines": [CENT], "classes": classes, **changed}
    return facts(
        machines=[CENT, UBUNTU, WIN, GOV, CHINA],
        bodies=[a_body(**body)],
        rows={"linux-distributions": [a_beat()] if beats is None else beats},
        unreadable=unreadable,
    )


SCOPE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-web".lower()
TABLE: list[tuple[str, Facts, str]] = [
    ("Critical and Security on CentOS", world(), "found"),
    ("one classification", world("Security"), "found"),
    ("Other alone", world("Other"), "found"),
    ("all three", world("Critical, Security, Other"), "nothing"),
    ("all three in another case and order", world("other,SECURITY, critical, Unclassified"), "nothing"),
    # It installs what it names, and classifications decide nothing.
    ("selected by name alone", world(""), "nothing"),
    ("Windows", world(None), "nothing"),
    ("Ubuntu has classifications", world(machines=[UBUNTU], beats=[]), "nothing"),
    ("CentOS elsewhere in the fleet", world(machines=[UBUNTU]), "nothing"),
    ("it was rebuilt without CentOS: no row", world(beats=[]), "nothing"),
    ("US Government", world(machines=[GOV], beats=[]), "found"),
    ("China", world(machines=[CHINA], beats=[]), "found"),
    ("a machine outside that it names", world(machines=[], names=["Old.corp"], beats=[a_beat("old.corp")]), "found"),
    ("another machine outside", world(machines=[], names=["new.corp"], beats=[a_beat("old.corp")]), "nothing"),
    ("a dynamic query may select it", world(machines=[], scopes=[SCOPE]), "unknown"),
    ("a dynamic query of another group", world(machines=[], scopes=[SCOPE.replace("rg-web", "rg-we")]), "nothing"),
    ("disabled", world(enabled=False), "nothing"),
    ("nobody says whether it is enabled", world(enabled=None), "unknown"),
    ("the beats could not be read", world(unreadable={"linux-distributions": "503"}), "unknown"),
    ("the schedule could not be read", world(unreadable={update_deployment("Weekly").lower(): "503"}), "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("case", "world", "said"), TABLE, ids=[case for case, *_ in TABLE])
def test_what_is_found(case: str, world: Facts, said: str) -> None:
    assert answer(LinuxClassificationCaveat().detect(world)) == said


def test_the_finding_is_the_deployment_s_and_names_machines_and_what_is_left_out() -> None:
    (found,) = LinuxClassificationCaveat().detect(world(machines=[CENT, UBUNTU]))

    assert isinstance(found, Finding)
    assert (found.target, found.name) == (update_deployment("Weekly").lower(), "Weekly")
    assert found.evidence["missing"] == ["other"]
    assert found.evidence["machines"] == ["cent-01"]
    assert found.evidence["others"] == 1


def test_of_many_machines_fifty_are_listed_and_all_are_counted() -> None:
    many = [a_machine(f"cent-{n:03}", os="Linux") for n in range(60)]
    rows: list[Document] = [a_beat(machine) for machine in many]
    body = a_body(machines=many, classes="Security")
    (found,) = LinuxClassificationCaveat().detect(
        facts(machines=many, bodies=[body], rows={"linux-distributions": rows})
    )

    assert isinstance(found, Finding)
    listed: Json = found.evidence["machines"]
    assert isinstance(listed, list)
    assert (len(listed), found.evidence["machineCount"]) == (50, 60)


def test_what_a_dynamic_query_selects_is_said_to_be_missing() -> None:
    told = unknown(LinuxClassificationCaveat().detect(world(machines=[], scopes=[SCOPE])))

    assert "dynamic query of Weekly" in told[update_deployment("Weekly").lower()]


def test_only_partial_deployments_with_such_machines_are_looked_at_closer() -> None:
    assert LinuxClassificationCaveat().suspects(world()) == {update_deployment("Weekly").lower()}
    assert LinuxClassificationCaveat().suspects(world(machines=[UBUNTU])) == frozenset()
