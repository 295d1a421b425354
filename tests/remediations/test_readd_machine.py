"""A machine is taken out of the deployments that call its old identity, and put back."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.deployments import SERVER_OWNED
from model.documents import Document, Json, at, list_at
from model.facts import Facts
from model.plans import Declined, Plan, PutDeployment
from model.states import FailureState, Impact
from remediations.readd_machine import ReaddMachine
from tests.builders import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    a_body,
    a_finding,
    a_machine,
    facts,
    update_deployment,
    vm,
)
from tests.remediations.bodies import bodies

SQL = a_machine("sql-01", group="RG-Data")
FINDING = a_finding(
    FailureState.SOURCE_ID_CHANGED, SQL.id, name="sql-01", evidence={"deployments": ["Weekly"], "computer": "sql-01"}
)
OTHERS = [vm("web-01"), vm("web-02")]
MACHINES = "properties.updateConfiguration.azureVirtualMachines"
START = "properties.scheduleInfo.startTime"


def planned(facts_: Facts, margin: timedelta = 15 * MINUTE) -> Plan | Declined:
    return ReaddMachine(margin=margin).plan(FINDING, facts_)


def puts(facts_: Facts) -> list[PutDeployment]:
    plan = planned(facts_)
    assert isinstance(plan, Plan)
    return [step for step in plan.steps if isinstance(step, PutDeployment)]


def why_not(facts_: Facts, margin: timedelta = 15 * MINUTE) -> str:
    answer = planned(facts_, margin)
    assert isinstance(answer, Declined)
    return answer.reason


def weekly(**fields: Any) -> Document:
    return a_body(**{"machines": [OTHERS[0], SQL, OTHERS[1]], **fields})


def stripped(document: Document) -> Document:
    """What is left of a body without what the service writes, and without nothing."""

    def left(value: Json, path: str) -> Json:
        if not isinstance(value, dict):
            return copy.deepcopy(value)
        inner = {key: f"{path}.{key}" if path else key for key in value}
        return {key: left(value[key], inner[key]) for key in value if inner[key] not in SERVER_OWNED}

    found = left(document, "")
    assert isinstance(found, dict)
    return found


def test_the_plan_saves_the_deployment_without_the_machine_and_then_with_it() -> None:
    """Two PUTs; the second one puts back, so it is repeated until it holds."""
    body = weekly()
    plan = planned(facts(machines=[SQL], bodies=[body]))

    assert isinstance(plan, Plan)
    assert (plan.remediation, plan.impact, plan.group) == ("readd-machine", Impact.REVERSIBLE, "")
    without, again = plan.steps
    assert isinstance(without, PutDeployment)
    assert isinstance(again, PutDeployment)
    assert (without.deployment, without.restores) == (update_deployment("Weekly"), False)
    assert (again.deployment, again.restores) == (update_deployment("Weekly"), True)
    assert without.before == body
    assert again.before == without.after
    assert list_at(without.after, MACHINES) == OTHERS
    assert list_at(again.after, MACHINES) == [OTHERS[0], SQL.arm_id, OTHERS[1]]


def test_both_bodies_are_the_deployment_s_own_but_for_the_machine_and_the_start() -> None:
    """Field by field, on a whole body: PUT replaces everything, so everything goes back."""
    without, again = puts(facts(bodies=[weekly()]))

    assert without.after == {
        "properties": {
            "updateConfiguration": {
                "operatingSystem": "Windows",
                "windows": {
                    "includedUpdateClassifications": "Critical, Security",
                    "excludedKbNumbers": ["5034439"],
                    "includedKbNumbers": [],
                    "rebootSetting": "IfRequired",
                },
                "linux": None,
                "targets": {"azureQueries": None, "nonAzureQueries": None},
                "duration": "PT2H",
                "azureVirtualMachines": OTHERS,
                "nonAzureComputerNames": [],
            },
            "scheduleInfo": {
                "description": "",
                "startTime": "2026-03-13T06:00:00+00:00",
                "expiryTime": "9999-12-31T23:59:59.9999999+00:00",
                "isEnabled": True,
                "interval": 1,
                "frequency": "Week",
                "timeZone": "Etc/UTC",
                "advancedSchedule": {"weekDays": ["Friday"], "monthDays": None, "monthlyOccurrences": None},
            },
            "tasks": {"preTask": None, "postTask": None},
        },
    }
    with_it = copy.deepcopy(without.after)
    configuration = at(with_it, "properties.updateConfiguration")
    assert isinstance(configuration, dict)
    configuration["azureVirtualMachines"] = [OTHERS[0], SQL.arm_id, OTHERS[1]]
    assert again.after == with_it


@pytest.mark.parametrize(
    "listed",
    [
        [SQL.arm_id, *OTHERS],
        [OTHERS[0], SQL.arm_id, OTHERS[1]],
        [*OTHERS, SQL.arm_id],
        # Azure's spelling varies, and people add a machine twice.
        [SQL.id.upper(), *OTHERS],
        [SQL.arm_id, OTHERS[0], SQL.id],
    ],
)
def test_the_machine_goes_back_to_its_place_as_it_was_spelled(listed: list[str]) -> None:
    without, again = puts(facts(bodies=[a_body(machines=listed)]))

    assert [str(m).lower() for m in list_at(without.after, MACHINES)] == [
        m.lower() for m in listed if m.lower() != SQL.id
    ]
    assert list_at(again.after, MACHINES) == listed


def test_every_deployment_that_names_the_machine_is_edited_and_no_other() -> None:
    bodies_ = [weekly(name=name) for name in ("B", "A")]
    other = a_body("C", machines=OTHERS)

    assert [step.deployment.rsplit("/", 1)[1] for step in puts(facts(bodies=[*bodies_, other]))] == ["A", "A", "B", "B"]


@pytest.mark.parametrize(
    "idle",
    [
        weekly(name="Idle", enabled=False),
        weekly(name="Idle", frequency="OneTime", next_run=NOW - 25 * DAY),
        weekly(name="Idle", frequency="OneTime", next_run=None),
        weekly(name="Idle", next_run=None, expires="2026-03-01T00:00:00+00:00"),
        # It names the machine alone, and would be declined if it still ran.
        a_body("Idle", machines=[SQL], enabled=False),
    ],
)
def test_a_deployment_that_will_not_run_again_is_left_alone(idle: Document) -> None:
    assert {step.deployment for step in puts(facts(bodies=[weekly(), idle]))} == {update_deployment("Weekly")}
    assert why_not(facts(bodies=[idle])) == "no deployment that will run again names the machine"


def test_a_deployment_that_was_deleted_meanwhile_is_left_alone() -> None:
    gone = weekly(name="Gone")

    found = puts(facts(bodies=[weekly(), gone], without=[update_deployment("Gone")]))

    assert {step.deployment for step in found} == {update_deployment("Weekly")}


@pytest.mark.parametrize(
    ("away", "declined"),
    [
        (15 * MINUTE, False),
        (15 * MINUTE - timedelta(seconds=1), True),
        (10 * MINUTE, True),
        (timedelta(seconds=1), True),
    ],
)
def test_nothing_is_edited_shortly_before_a_run(away: timedelta, declined: bool) -> None:  # noqa: FBT001
    """A quarter of an hour is just enough: Azure wants ten minutes, and the edit has to settle."""
    facts_ = facts(bodies=[weekly(next_run=NOW + away)])

    if declined:
        assert "wait until it is over" in why_not(facts_)
    else:
        assert len(puts(facts_)) == 2


def test_one_run_that_is_too_near_stops_the_edit_of_all() -> None:
    """Half an edit would leave the machine called by two identities."""
    assert "next run of Soon" in why_not(facts(bodies=[weekly(), weekly(name="Soon", next_run=NOW + 5 * MINUTE)]))


def test_the_margin_is_a_setting() -> None:
    soon = facts(bodies=[weekly(next_run=NOW + 30 * MINUTE)])

    assert isinstance(planned(soon, margin=30 * MINUTE), Plan)
    assert isinstance(planned(soon, margin=31 * MINUTE), Declined)


@pytest.mark.parametrize("state", ["Provisioning", "Failed", "Updating", ""])
def test_a_deployment_that_is_not_settled_is_not_edited(state: str) -> None:
    """Somebody, or Azure, is still at work on it."""
    assert "is not settled" in why_not(facts(bodies=[weekly(state=state)]))


@pytest.mark.parametrize(
    ("body", "declined"),
    [
        (a_body(machines=[SQL]), True),
        (a_body(machines=[SQL, SQL.id]), True),
        (a_body(machines=[SQL, OTHERS[0]]), False),
        (a_body(machines=[SQL], names=["onprem-01"]), False),
        (a_body(machines=[SQL], scopes=["/subscriptions/11111111-2222-4333-8444-555555555555"]), False),
    ],
)
def test_a_deployment_is_never_saved_without_a_target(body: Document, declined: bool) -> None:  # noqa: FBT001
    if declined:
        assert "names only this machine" in why_not(facts(bodies=[body]))
    else:
        assert len(puts(facts(bodies=[body]))) == 2


def test_a_deployment_that_could_not_be_read_stops_the_edit() -> None:
    weekly_ = update_deployment("Weekly").lower()

    why = why_not(facts(bodies=[weekly(), weekly(name="A")], without=[weekly_], unreadable={weekly_: "GET: 503"}))

    assert why == "the deployment could not be read: GET: 503"


@pytest.mark.parametrize("part", ["updateConfiguration", "scheduleInfo"])
def test_a_body_that_lacks_a_part_is_not_sent_back(part: str) -> None:
    body = weekly()
    properties = body["properties"]
    assert isinstance(properties, dict)
    del properties[part]
    facts_ = facts(bodies=[weekly()])
    changed = {**facts_.documents, update_deployment("Weekly").lower(): body}

    assert isinstance(planned(with_documents(facts_, changed)), Declined)


def with_documents(facts_: Facts, documents: dict[str, Document]) -> Facts:
    return replace(facts_, documents=documents)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "offset", "next_run", "start"),
    [
        ("Etc/UTC", 0, "2026-03-13 06:00", "2026-03-13T06:00:00+00:00"),
        ("UTC", None, "2026-03-13 06:00", "2026-03-13T06:00:00+00:00"),
        ("", None, "2026-03-13 06:00", "2026-03-13T06:00:00+00:00"),
        # By an IANA name; the clocks of Berlin change on 29 March and 25 October 2026.
        ("Europe/Berlin", None, "2026-03-13 05:00", "2026-03-13T06:00:00+01:00"),
        ("Europe/Berlin", 60, "2026-03-29 00:59", "2026-03-29T01:59:00+01:00"),
        ("Europe/Berlin", 60, "2026-03-29 01:00", "2026-03-29T03:00:00+02:00"),
        ("Europe/Berlin", 60, "2026-10-25 00:30", "2026-10-25T02:30:00+02:00"),
        ("Europe/Berlin", 60, "2026-10-25 01:30", "2026-10-25T02:30:00+01:00"),
        ("Asia/Kolkata", 330, "2026-03-13 00:30", "2026-03-13T06:00:00+05:30"),
        ("America/Los_Angeles", -480, "2026-03-14 02:00", "2026-03-13T19:00:00-07:00"),
        # By a Windows name: the offset of the next run comes with it.
        ("W. Europe Standard Time", 60, "2026-03-13 05:00", "2026-03-13T06:00:00+01:00"),
        ("W. Europe Standard Time", 120, "2026-04-03 04:00", "2026-04-03T06:00:00+02:00"),
        ("India Standard Time", 330.0, "2026-03-13 00:30", "2026-03-13T06:00:00+05:30"),
        ("Pacific Standard Time", -420, "2026-03-13 13:00", "2026-03-13T06:00:00-07:00"),
        ("Line Islands Standard Time", 840, "2026-03-12 16:00", "2026-03-13T06:00:00+14:00"),
    ],
)
def test_the_start_moves_to_the_next_run_on_the_clock_of_the_deployment(
    zone: str, offset: Json, next_run: str, start: str
) -> None:
    """Azure takes no start in the past. Clock and offset have to agree: the service has been seen to read only one."""
    facts_ = facts(bodies=[weekly(zone=zone, offset=offset, next_run=utc(next_run))])

    assert [at(step.after, START) for step in puts(facts_)] == [start, start]
    assert datetime.fromisoformat(start) == utc(next_run)


@pytest.mark.parametrize(
    ("zone", "offset"),
    [
        ("W. Europe Standard Time", None),
        ("W. Europe Standard Time", True),
        ("W. Europe Standard Time", "60"),
        ("Nowhere/Never", 15 * 60),
        ("Nowhere/Never", -15 * 60),
        ("../../etc/passwd", None),
        ("Europe", None),
        ("Europe\x00/Berlin", None),
    ],
)
def test_in_a_time_zone_that_cannot_be_worked_out_nothing_is_edited(zone: str, offset: Json) -> None:
    assert "cannot be worked out" in why_not(facts(bodies=[weekly(zone=zone, offset=offset)]))


def test_it_is_verified_when_the_last_of_the_next_runs_has_called_its_machines() -> None:
    plan = planned(facts(bodies=[weekly(), weekly(name="Late", next_run=NOW + 9 * DAY)]))

    assert isinstance(plan, Plan)
    assert plan.settle.due(applied=NOW) == NOW + 9 * DAY + 30 * MINUTE


def test_what_a_person_is_told_instead_names_the_machine_and_its_deployments() -> None:
    answer = planned(facts(bodies=[a_body(machines=[SQL])]))

    assert isinstance(answer, Declined)
    assert answer.finding == FINDING
    assert answer.advice.summary.startswith("sql-01: Weekly names only this machine")
    assert answer.advice.steps == (
        "Remove sql-01 from Weekly, save, add it again, and save, at least 15 minutes before the next run.",
    )


@given(bodies(with_machine=SQL.arm_id))
def test_whatever_a_deployment_holds_only_its_start_is_another_in_the_end(body: Document) -> None:
    """Unknown properties survive; the order of lists, the spelling of ids and every null stay."""
    original = copy.deepcopy(body)
    without, again = puts(facts(bodies=[body]))

    assert body == original
    expected = stripped(original)
    schedule = at(expected, "properties.scheduleInfo")
    assert isinstance(schedule, dict)
    schedule["startTime"] = at(again.after, START)
    assert again.after == expected
    configuration = at(expected, "properties.updateConfiguration")
    assert isinstance(configuration, dict)
    configuration["azureVirtualMachines"] = [m for m in list_at(original, MACHINES) if str(m).lower() != SQL.id]
    assert without.after == expected


@given(
    st.timedeltas(min_value=15 * MINUTE, max_value=400 * DAY),
    st.sampled_from(["Europe/Lisbon", "Asia/Tehran", "Etc/UTC"]),
)
def test_the_new_start_is_the_next_run_to_the_second(away: timedelta, zone: str) -> None:
    next_run = (NOW + away).replace(microsecond=0) + timedelta(seconds=1)
    for step in puts(facts(bodies=[weekly(zone=zone, next_run=next_run)])):
        start = datetime.fromisoformat(str(at(step.after, START)))
        assert start == next_run


@given(st.permutations(["A", "B", "C"]))
def test_the_order_in_which_deployments_were_read_does_not_change_the_plan(names: list[str]) -> None:
    """The same plan twice is what the second look before acting relies on."""
    assert puts(facts(bodies=[weekly(name=name) for name in names])) == puts(
        facts(bodies=[weekly(name=name) for name in sorted(names)])
    )


def test_it_needs_the_full_document_of_every_deployment_that_names_the_machine() -> None:
    facts_ = facts(bodies=[weekly(), weekly(name="Also"), a_body("Other", machines=OTHERS)])

    assert ReaddMachine().needs(FINDING, facts_) == {update_deployment(n).lower() for n in ("Weekly", "Also")}


@pytest.mark.parametrize("hours", [1, 24, 24 * 30])
def test_a_saved_plan_and_one_made_later_are_the_same(hours: int) -> None:
    """The plan follows from the deployment, not from the time of day."""
    body = weekly(next_run=NOW + 60 * DAY)

    assert puts(facts(bodies=[body])) == puts(facts(bodies=[body], now=NOW + hours * HOUR))
