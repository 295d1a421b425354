"""Documents there and back: whatever a deployment or a saved search holds, properties of tomorrow among it, what was
planned, applied and undone is to the letter what it was; of a schedule's start Azure takes none in the past."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from detectors.linux_classification_caveat import LinuxClassificationCaveat
from detectors.linux_run_failed import LinuxRunFailed
from detectors.maintenance_window_exceeded import MaintenanceWindowExceeded
from detectors.protocol import Detector
from detectors.scope_excluded import ScopeExcluded
from detectors.source_id_changed import SourceIdChanged
from detectors.vm_deleted import VmDeleted
from detectors.vm_moved import VmMoved
from detectors.workspace_over_quota import WorkspaceOverQuota
from engine.undo_plans import DoneStep, Treated, Undo, undo_plans
from model.deployments import body_to_put
from model.documents import Document, Json, at, text_at
from model.facts import Facts
from model.findings import Finding
from model.plans import Plan, PutDeployment, PutSavedSearch, SetDailyQuota, Step
from model.words import counted
from remediations.add_to_scope import AddToScope
from remediations.exclude_package import ExcludePackage
from remediations.include_all_classifications import IncludeAllClassifications
from remediations.protocol import Remediation
from remediations.raise_daily_cap import RaiseDailyCap
from remediations.readd_machine import ReaddMachine
from remediations.remove_deleted_machine import RemoveDeletedMachine
from remediations.replace_moved_machine import ReplaceMovedMachine
from remediations.widen_maintenance_window import WidenMaintenanceWindow
from tests.builders import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    WORKSPACE,
    a_body,
    a_machine,
    a_machine_run,
    a_run,
    a_saved_search,
    a_silence,
    a_workspace,
    an_identity,
    an_instance_view,
    facts,
    guid,
)
from tests.remediations.bodies import bodies, names, values

SQL, API = a_machine("sql-01", group="rg-data"), a_machine("api-01", os="Linux")
THEN: Final = NOW - 4 * DAY
_SERVER_OWNED: Final = ("id", "name", "type")
_WINDOWS_BODIES: Final = bodies(with_machine=SQL.arm_id)


@st.composite
def linux_bodies(draw: st.DrawFn) -> Document:
    """A deployment of Linux machines that may be edited, strangers in the part that is edited, too."""
    body = copy.deepcopy(
        a_body(
            machines=[API],
            classes=draw(st.sampled_from(["Critical, Security", "Security", "critical,other"])),
            excluded=draw(st.lists(names, max_size=3)),
            next_run=NOW + draw(st.integers(1, 30)) * DAY,
            frequency=draw(st.sampled_from(["Week", "Day", "Month"])),
        )
    )
    for path in ("properties.updateConfiguration.linux", "properties.updateConfiguration", "properties.scheduleInfo"):
        here = at(body, path)
        assert isinstance(here, dict)
        here[f"x{draw(names)}"] = draw(values)
    return body


def lost_its_identity(body: Document) -> Facts:
    was, now = guid("old agent"), guid("new agent")
    return facts(
        machines=[SQL],
        bodies=[body],
        runs=[a_run(of=text_at(body, "name"), status="Failed", start=THEN)],
        machine_runs=[a_machine_run(SQL, of=text_at(body, "name"), source=was, start=THEN)],
        rows={
            "source-id-changed": [
                an_identity(SQL, was, last=NOW - 5 * DAY),
                an_identity(SQL, now, first=NOW - 5 * DAY + HOUR, last=NOW - MINUTE),
            ]
        },
    )


def was_deleted(body: Document) -> Facts:
    return facts(
        bodies=[body],
        runs=[a_run(of=text_at(body, "name"), status="Failed", start=THEN)],
        machine_runs=[a_machine_run(SQL, of=text_at(body, "name"), source=guid("agent"), start=THEN)],
        rows={"silent-machines": [a_silence(SQL, last=NOW - 5 * DAY)]},
    )


def was_moved(body: Document) -> Facts:
    there = a_machine("sql-01", group="rg-new", vm_id=SQL.vm_id)
    return replace(was_deleted(body), machines={there.id: there})


def took_too_long(body: Document) -> Facts:
    name = text_at(body, "name")
    runs = [
        a_run(f"run-{n}", of=name, status="MaintenanceWindowExceeded", start=NOW - n * 7 * DAY + DAY) for n in (2, 1)
    ]
    late = a_machine_run(SQL, run="run-1", of=name, status="MaintenanceWindowExceeded", start=NOW - 6 * DAY)
    return facts(machines=[SQL], bodies=[body], runs=runs, machine_runs=[late])


def has_no_classifications(body: Document) -> Facts:
    beat: Document = {"MachineId": API.id, "Computer": "api-01", "OSName": "CentOS"}
    return facts(machines=[API], bodies=[body], rows={"linux-distributions": [beat]})


def fails_for_a_package(body: Document) -> Facts:
    runs = [a_run(f"run-{n}", of=text_at(body, "name"), status="Failed", start=NOW - n * 4 * DAY) for n in (2, 1)]
    parts = [
        a_machine_run(API, run=run.id, of=run.deployment, status="Failed", start=run.start, os="Linux") for run in runs
    ]
    failed: list[Document] = [
        {
            "MachineId": API.id,
            "RunId": run.id,
            "Package": "grub-efi-amd64",
            "Error": "",
            "Failed": "2026-03-06T06:30:00Z",
        }
        for run in runs
    ]
    return facts(machines=[API], bodies=[body], runs=runs, machine_runs=parts, rows={"linux-failed-packages": failed})


CASES: Final[Mapping[str, tuple[Detector, Remediation, st.SearchStrategy[Document], Callable[[Document], Facts]]]] = {
    "readd-machine": (SourceIdChanged(), ReaddMachine(), _WINDOWS_BODIES, lost_its_identity),
    "remove-deleted-machine": (VmDeleted(), RemoveDeletedMachine(), _WINDOWS_BODIES, was_deleted),
    "replace-moved-machine": (VmMoved(), ReplaceMovedMachine(), _WINDOWS_BODIES, was_moved),
    "widen-maintenance-window": (
        MaintenanceWindowExceeded(), WidenMaintenanceWindow(), _WINDOWS_BODIES, took_too_long
    ),
    "include-all-classifications": (
        LinuxClassificationCaveat(), IncludeAllClassifications(), linux_bodies(), has_no_classifications
    ),
    "exclude-package": (LinuxRunFailed(), ExcludePackage(), linux_bodies(), fails_for_a_package),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
def test_a_deployment_is_put_back_to_the_letter(
    case: tuple[Detector, Remediation, st.SearchStrategy[Document], Callable[[Document], Facts]], data: st.DataObject
) -> None:
    detector, remediation, drawn, world = case
    original = data.draw(drawn)
    plan = planned(detector, remediation, world(copy.deepcopy(original)))
    assume(plan is not None)
    assert plan is not None
    key = text_at(original, "id").lower()

    after = there_and_back(plan, {key: original})

    assert without_start(after[key]) == without_start(original)


@given(
    ids=st.lists(st.uuids(), max_size=6, unique=True),
    strangers=st.dictionaries(names.map("x{}".format), values, max_size=4),
)
@settings(max_examples=25, deadline=None)
def test_a_saved_search_is_put_back_to_the_letter(ids: list[object], strangers: dict[str, Json]) -> None:
    listed = ", ".join(f'"{one}"' for one in ids) or '""'
    search = a_saved_search(f'Heartbeat | where Computer in~ ("") or VMUUID in~ ({listed}) | distinct Computer')
    properties = search.document["properties"]
    assert isinstance(properties, dict)
    properties |= strangers
    outside: Document = {
        "MachineId": SQL.id, "VmId": SQL.vm_id, "Computer": "sql-01", "OSType": "Windows",
        "SourceComputerId": guid("agent"), "Solutions": '"security"', "First": "2026-02-08T06:00:00Z",
        "LastBeat": "2026-03-10T05:59:00Z",
    }  # fmt: skip
    world = facts(
        machines=[SQL],
        workspace=a_workspace(),
        searches=[search],
        rows={"scope-excluded": [outside], "ingestion-status": ()},
        views=[an_instance_view(SQL), copy.deepcopy(search.document)],
    )
    plan = planned(ScopeExcluded(), AddToScope(), world)
    assert plan is not None

    after = there_and_back(plan, {search.id: search.document})

    assert after[search.id]["properties"] == search.document["properties"]


@given(gb=st.floats(0.1, 3, allow_nan=False), strangers=st.dictionaries(names.map("x{}".format), values, max_size=4))
@settings(max_examples=25, deadline=None)
def test_a_daily_cap_is_put_back_and_nothing_else_is_touched(gb: float, strangers: dict[str, Json]) -> None:
    capping: Document = {"dailyQuotaGb": gb, **strangers}
    document: Document = {"id": WORKSPACE, "properties": {"workspaceCapping": capping, **strangers}}
    world = facts(workspace=a_workspace(ingestion="overquota", quota=gb), rows={"ingestion-status": ()})
    plan = planned(WorkspaceOverQuota(), RaiseDailyCap(ceiling_gb=10), world)
    assert plan is not None

    assert there_and_back(plan, {WORKSPACE.lower(): document}) == {WORKSPACE.lower(): document}


def planned(detector: Detector, remediation: Remediation, world: Facts) -> Plan | None:
    """The plan for the one finding; None where there is no safe one."""
    findings = [found for found in detector.detect(world) if isinstance(found, Finding)]
    assert len(findings) == 1, counted(len(findings), "finding")
    plan = remediation.plan(findings[0], world)
    return plan if isinstance(plan, Plan) else None


def there_and_back(plan: Plan, before: Mapping[str, Document]) -> dict[str, Document]:
    """What is there when the plan was applied and then undone, as it would be half an hour later."""
    there = {key: copy.deepcopy(document) for key, document in before.items()}
    for step in plan.steps:
        put(there, step)
    assert there != before or len(plan.steps) > 1, "a plan that changes nothing proves nothing"
    done = tuple(DoneStep(step=step, result={}, certain=True) for step in plan.steps)
    seen = replace(facts(now=NOW + timedelta(minutes=30)), documents=there)
    for answer in undo_plans([Treated(plan=plan, steps=done)], seen, "run", timedelta(minutes=15), {}):
        for step in answer.plan.steps if isinstance(answer, Undo) else ():
            put(there, step)
    return there


def put(there: dict[str, Document], step: Step) -> None:
    """As Azure does: a PUT replaces everything but what is Azure's own; a PATCH of the cap changes the cap only."""
    match step:
        case PutDeployment(deployment=id_, after=after) | PutSavedSearch(saved_search=id_, after=after):
            held = there[id_.lower()]
            saved = copy.deepcopy(after) | {name: held[name] for name in _SERVER_OWNED if name in held}
            if isinstance(step, PutDeployment):
                properties, schedule = saved["properties"], at(saved, "properties.scheduleInfo")
                assert isinstance(properties, dict)
                assert isinstance(schedule, dict)
                properties["provisioningState"] = "Succeeded"
                schedule |= {"nextRun": schedule["startTime"], "nextRunOffsetMinutes": 0}
            there[id_.lower()] = saved
        case SetDailyQuota(workspace=id_, gb_after=gb):
            capping = at(there[id_.lower()], "properties.workspaceCapping")
            assert isinstance(capping, dict)
            capping["dailyQuotaGb"] = gb
        case _:
            raise AssertionError(f"no document is changed by {step}")


def without_start(document: Document) -> Document:
    """All that is sent when the deployment is saved, but for when its schedule starts."""
    body = copy.deepcopy(body_to_put(document))
    schedule = at(body, "properties.scheduleInfo")
    assert isinstance(schedule, dict)
    schedule.pop("startTime", None)
    return body
