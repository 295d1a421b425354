"""An update that fails in run after run is left out of its deployment, where it is the only one that fails."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.documents import Json, at, list_at
from model.plans import Declined, Plan, PutDeployment
from model.states import FailureState
from remediations.exclude_kb import ExcludeKb
from tests.builders import MINUTE, NOW, a_body, a_finding, a_machine, facts, update_deployment

WEB, SQL = a_machine("web-01"), a_machine("sql-01")
EXCLUDED = "properties.updateConfiguration.windows.excludedKbNumbers"


def failed_again(*kbs: str, deployment: str = "Weekly") -> Json:
    return {"deployment": update_deployment(deployment).lower(), "kbs": [*kbs]}


def answer(told: Json, included: Sequence[str] = (), **body: Any) -> Plan | Declined:
    """What is planned where the evidence says so of `failedAgain`."""
    weekly = a_body(machines=[WEB, SQL], **body)
    weekly["properties"]["updateConfiguration"]["windows"]["includedKbNumbers"] = [*included]  # type: ignore[index, call-overload] # there
    finding = a_finding(FailureState.MACHINES_DONT_INSTALL, WEB.id, name="web-01", evidence={"failedAgain": told})
    return ExcludeKb().plan(finding, facts(machines=[WEB, SQL], bodies=[weekly, a_body("Monthly", machines=[WEB])]))


def put(told: Json) -> PutDeployment:
    plan = answer(told)
    assert isinstance(plan, Plan)
    (step,) = plan.steps
    assert isinstance(step, PutDeployment)
    return step


def test_it_is_added_behind_those_that_are_there_without_its_kb() -> None:
    step = put([failed_again("KB5034768")])

    assert step.deployment == update_deployment("Weekly")
    assert list_at(step.before, EXCLUDED) == ["5034439"]
    assert list_at(step.after, EXCLUDED) == ["5034439", "5034768"]


def test_the_description_and_the_risk_say_what_nobody_gets_and_until_when() -> None:
    plan = answer([failed_again("5034768")])

    assert isinstance(plan, Plan)
    assert plan.risk == "No machine of Weekly gets KB5034768 until it is taken out again, by 2026-04-09."
    said = at(put([failed_again("5034768")]).after, "properties.scheduleInfo.description")
    assert "Patchwright left out KB5034768 on 2026-03-10; look again by 2026-04-09." in str(said)


def test_three_are_left_out_and_four_are_the_machines_own_fault() -> None:
    numbers = ["5034761", "5034762", "5034763", "5034764"]

    assert isinstance(answer([failed_again(*numbers[:3])]), Plan)
    assert isinstance(answer([failed_again(*numbers)]), Declined)


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        [failed_again()],
        # It fails whoever installs it: then it is not the deployment that has to give.
        [failed_again("5034768"), failed_again("5034768", deployment="Monthly")],
        [failed_again("5034439")],
        [failed_again("5034768*")],
        [failed_again("5034768", deployment="Gone")],
    ],
)
def test_what_is_not_one_known_update_of_one_deployment_is_left_to_a_person(told: Json) -> None:
    assert isinstance(answer(told), Declined)


def test_an_update_that_somebody_wants_by_its_number_is_not_left_out() -> None:
    no = answer([failed_again("5034768")], included=["KB5034768"])

    assert isinstance(no, Declined)
    assert "somebody wants 5034768 installed by Weekly" in no.reason


# Fifteen minutes are enough, fourteen are not.
@pytest.mark.parametrize(("ahead", "kind"), [(15 * MINUTE, Plan), (14 * MINUTE, Declined)])
def test_a_run_that_is_near_is_not_disturbed(ahead: timedelta, kind: type) -> None:
    assert isinstance(answer([failed_again("5034768")], next_run=NOW + ahead), kind)


odd = st.recursive(
    st.none() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["deployment", "kbs"]), inner),
    max_leaves=6,
)


@given(odd)
def test_odd_evidence_changes_nothing(told: Json) -> None:
    assert isinstance(answer(told), Declined)
