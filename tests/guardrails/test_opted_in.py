"""What costs somebody something is done where the operator asked for it, or where a person applies the plan."""

from __future__ import annotations

import pytest

from guardrails.opted_in import OptedIn
from guardrails.protocol import Situation
from model.plans import Hold
from model.states import Mode
from tests.builders import NOW, a_plan, facts
from tests.engine.conftest import App

PLAN = a_plan()
ITS = PLAN.remediation


@pytest.mark.parametrize(
    ("optional", "chosen", "by_person", "held"),
    [
        ({ITS}, set(), False, True),
        ({ITS}, {ITS}, False, False),
        # Who applies a saved plan has read it.
        ({ITS}, set(), True, False),
        # Another one was switched on.
        ({ITS, "other"}, {"other"}, False, True),
        # It costs nothing.
        ({"other"}, set(), False, False),
    ],
)
def test_an_optional_repair_waits_to_be_switched_on(
    optional: set[str],
    chosen: set[str],
    by_person: bool,  # noqa: FBT001 - a column of the table
    held: bool,  # noqa: FBT001 - a column of the table
) -> None:
    belt = OptedIn(optional=frozenset(optional), chosen=frozenset(chosen))

    verdict = belt.judge(PLAN, Situation(facts=facts(), now=NOW, mode=Mode.ACT, by_person=by_person))

    assert isinstance(verdict, Hold) is held


def test_what_holds_it_names_the_setting_that_would_let_it_go() -> None:
    verdict = OptedIn(optional=frozenset({ITS})).judge(
        PLAN, Situation(facts=facts(), now=NOW, mode=Mode.ACT, by_person=False)
    )

    assert isinstance(verdict, Hold)
    assert ITS in verdict.reason
    assert "PATCHWRIGHT_OPT_IN" in verdict.reason


def test_a_sweep_does_what_costs_nothing_and_leaves_the_rest_to_a_person(app: App) -> None:
    """With every state in mode `act` and nothing opted in; the person applies what the dry run planned."""
    app.set(opt_in=frozenset())
    registration, renamed = app.unregistered(), app.renamed()

    swept = app.outcomes(app.sweep())
    planned = app.plan()
    app.apply(planned)

    assert swept == {registration: "remediated", renamed: "held"}
    assert app.outcomes(planned) == {renamed: "remediated"}
