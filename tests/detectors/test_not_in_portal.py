"""S1, machines that are not in the portal: silent, not assessed, left out of the scope, at another workspace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from detectors.no_heartbeat import NoHeartbeat
from detectors.not_assessed import NotAssessed
from detectors.protocol import Detector
from detectors.scope_excluded import ScopeExcluded
from detectors.wrong_workspace import WrongWorkspace
from model.documents import Document, Json
from model.facts import AgentExtension, Facts, LogWorkspace, Machine, PowerState, Row, SavedSearch
from model.findings import Finding
from model.times import format_time
from tests.builders import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    WORKSPACE_GUID,
    a_machine,
    a_saved_search,
    a_workspace,
    an_agent,
    an_instance_view,
    facts,
    guid,
    swapped,
)
from tests.detectors.answers import answer, found, unknown

WEB = a_machine("web-01")
LINUX = a_machine("api-01", os="Linux")
ARC = a_machine("arc-01", is_arc=True)
SECOND = timedelta(seconds=1)
EXPLAINED = [
    (a_workspace(ingestion="overquota"), "law is workspace-over-quota"),
    (a_workspace(account_links_to=""), "law is workspace-not-linked"),
    (a_workspace(pack=False), "law is updates-solution-missing"),
    # The precedence: what takes nothing in comes first, then the link.
    (a_workspace(ingestion="overquota", account_links_to="", solution=False), "law is workspace-over-quota"),
    (a_workspace(linked_account="", solution=False), "law is workspace-not-linked"),
]
"""Workspaces that explain their machines, and as what."""


def a_silent(machine: Machine = WEB, *, ago: timedelta = 3 * HOUR, newer: bool = False, **more: Json) -> Document:
    """A row of `no-heartbeat.kql`."""
    return {
        "MachineId": machine.id,
        "VmId": machine.vm_id,
        "Computer": machine.name,
        "OSType": machine.os,
        "SourceComputerId": guid("agent"),
        "LastBeat": format_time(NOW - ago),
        "NewerBeat": format_time(NOW - MINUTE) if newer else None,
        **more,
    }


def an_unassessed(
    machine: Machine = WEB, *, first: timedelta = 30 * DAY, last: timedelta = MINUTE, **more: Json
) -> Document:
    """A row of `not-assessed.kql`."""
    return {
        "MachineId": machine.id,
        "SourceComputerId": guid("agent"),
        "VmId": machine.vm_id,
        "Computer": machine.name,
        "OSType": machine.os,
        "First": format_time(NOW - first),
        "LastBeat": format_time(NOW - last),
        **more,
    }


def view(machine: Machine = WEB, *, power: str = "running", started: timedelta | None = None) -> Document:
    """The machine's own document; `started` is how long ago."""
    if machine.is_arc:
        changed = format_time(NOW - started) if started else None
        return {"id": machine.arm_id, "properties": {"status": power, "lastStatusChange": changed}}
    document = an_instance_view(machine)
    provisioned: Document = {"code": "ProvisioningState/succeeded"}
    if started is not None:
        provisioned["time"] = format_time(NOW - started)
    statuses: list[Json] = [provisioned]
    if power:
        statuses.append({"code": f"PowerState/{power}"})
    properties = document["properties"]
    assert isinstance(properties, dict)
    instance = properties["instanceView"]
    assert isinstance(instance, dict)
    instance["statuses"] = statuses
    return document


def world(
    *,
    silent: Sequence[Row] = (),
    unassessed: Sequence[Row] = (),
    outside: Sequence[Row] = (),
    machines: Iterable[Machine] = (WEB, LINUX, ARC),
    views: Iterable[Document] | None = None,
    workspace: LogWorkspace | None = None,
    agents: Iterable[AgentExtension] = (),
    searches: Iterable[SavedSearch] = (),
    unreadable: dict[str, str] | None = None,
) -> Facts:
    return facts(
        machines=machines,
        rows={
            "no-heartbeat": silent,
            "not-assessed": unassessed,
            "scope-excluded": outside,
            "ingestion-status": (),
        },
        views=[view(WEB), view(LINUX), view(ARC, power="Connected")] if views is None else views,
        workspace=workspace or a_workspace(),
        agents=agents,
        searches=searches,
        unreadable=unreadable,
    )


SILENT: list[tuple[str, Facts, str]] = [
    ("silent for hours", world(silent=[a_silent()]), "found"),
    ("nobody is silent", world(), "nothing"),
    # An hour is the last moment at which silence is still ordinary.
    ("silent for an hour", world(silent=[a_silent(ago=HOUR)]), "nothing"),
    ("silent for longer", world(silent=[a_silent(ago=HOUR + SECOND)]), "found"),
    ("an Arc machine", world(silent=[a_silent(ARC)]), "found"),
    ("known by its VM id only", world(silent=[a_silent(MachineId=f"vmuuid:{WEB.vm_id}")]), "found"),
    ("known by its VM id in the other byte order",
     world(silent=[a_silent(MachineId=f"vmuuid:{swapped(WEB.vm_id)}", VmId=swapped(WEB.vm_id))]), "found"),
    ("its beats do not name its VM", world(silent=[a_silent(VmId="")]), "found"),
    # A stopped machine is not silent, wherever that is known from.
    ("deallocated, says the inventory",
     world(silent=[a_silent()], machines=[replace(WEB, power=PowerState.DEALLOCATED)]), "nothing"),
    ("deallocated, says its own document",
     world(silent=[a_silent()], views=[view(power="deallocated")]), "nothing"),
    ("starting", world(silent=[a_silent()], views=[view(power="starting")]), "nothing"),
    ("disconnected from Arc",
     world(silent=[a_silent(ARC)], machines=[replace(ARC, power=PowerState.UNKNOWN)]), "nothing"),
    ("the inventory cannot tell, its own document can",
     world(silent=[a_silent()], machines=[replace(WEB, power=PowerState.UNKNOWN)]), "found"),
    ("nobody can tell whether it runs", world(silent=[a_silent()], views=[view(power="")]), "unknown"),
    # A machine that was started just now has had no time to beat.
    ("started an hour ago", world(silent=[a_silent()], views=[view(started=HOUR)]), "nothing"),
    ("started before that", world(silent=[a_silent()], views=[view(started=HOUR + SECOND)]), "found"),
    ("connected half an hour ago",
     world(silent=[a_silent(ARC)], views=[view(ARC, power="Connected", started=HOUR / 2)]), "nothing"),
    ("deleted since the inventory was made", world(silent=[a_silent()], views=[]), "nothing"),
    ("not in the inventory", world(silent=[a_silent(a_machine("gone"))]), "nothing"),
    ("another VM that had the same resource id", world(silent=[a_silent(VmId=guid("old self"))]), "nothing"),
    ("its document may not be read",
     world(silent=[a_silent()], views=[], unreadable={WEB.id: "403"}), "unknown"),
    # The newer agent alone is where a machine should go; beside the old one it excuses nothing.
    ("only the newer agent is left on it", world(silent=[a_silent(newer=True)]), "nothing"),
    ("the newer agent beats beside the old one",
     world(silent=[a_silent(newer=True)], agents=[an_agent(WEB)]), "found"),
]  # fmt: skip


@pytest.mark.parametrize(("facts_", "said"), [row[1:] for row in SILENT], ids=[row[0] for row in SILENT])
def test_a_machine_that_runs_and_does_not_beat_is_silent(facts_: Facts, said: str) -> None:
    assert answer(NoHeartbeat().detect(facts_)) == said


def test_a_silent_machine_is_told_once_with_its_newest_beat() -> None:
    rows = [a_silent(MachineId=f"vmuuid:{WEB.vm_id}", ago=2 * HOUR), a_silent(ago=9 * DAY)]

    (finding,) = NoHeartbeat().detect(world(silent=rows))

    assert isinstance(finding, Finding)
    assert (finding.target, finding.since) == (WEB.id, NOW - 2 * HOUR)
    assert finding.reason == "runs, and its agent has been silent for 2 h"


UNASSESSED: list[tuple[str, Facts, str]] = [
    ("beats and sends no assessment", world(unassessed=[an_unassessed()]), "found"),
    ("on Linux", world(unassessed=[an_unassessed(LINUX)]), "found"),
    ("on an Arc machine", world(unassessed=[an_unassessed(ARC)]), "found"),
    # A first assessment may take six hours.
    ("an agent of six hours", world(unassessed=[an_unassessed(first=6 * HOUR)]), "nothing"),
    ("an agent of more", world(unassessed=[an_unassessed(first=6 * HOUR + SECOND)]), "found"),
    ("started six hours ago", world(unassessed=[an_unassessed()], views=[view(started=6 * HOUR)]), "nothing"),
    ("started before", world(unassessed=[an_unassessed()], views=[view(started=6 * HOUR + SECOND)]), "found"),
    # A silent machine is another matter.
    ("last beat an hour ago", world(unassessed=[an_unassessed(last=HOUR)]), "found"),
    ("last beat before", world(unassessed=[an_unassessed(last=HOUR + SECOND)]), "nothing"),
    ("stopped since its last beat", world(unassessed=[an_unassessed()], views=[view(power="stopped")]), "nothing"),
    ("stopped, says the inventory",
     world(unassessed=[an_unassessed()], machines=[replace(WEB, power=PowerState.STOPPED)]), "nothing"),
    ("not in the inventory", world(unassessed=[an_unassessed(a_machine("gone"))]), "nothing"),
    ("another VM that had the same resource id", world(unassessed=[an_unassessed(VmId=guid("old"))]), "nothing"),
    ("its document may not be read",
     world(unassessed=[an_unassessed()], views=[], unreadable={WEB.id: "403"}), "unknown"),
    ("there is no table of updates", world(unreadable={"not-assessed": "Update does not exist"}), "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("facts_", "said"), [row[1:] for row in UNASSESSED], ids=[row[0] for row in UNASSESSED])
def test_a_machine_that_beats_and_sends_no_assessment_is_not_assessed(facts_: Facts, said: str) -> None:
    assert answer(NotAssessed().detect(facts_)) == said


def a_scope(*ids: str, names: str = '""') -> SavedSearch:
    listed = ", ".join(f'"{id_}"' for id_ in ids) or '""'
    return a_saved_search(f"Heartbeat | where Computer in~ ({names}) or VMUUID in~ ({listed}) | distinct Computer")


def an_outsider(machine: Machine = WEB, **more: Json) -> Document:
    """A row of `scope-excluded.kql`."""
    return {**an_unassessed(machine), "Solutions": '"security", "changeTracking"', **more}


SCOPE: list[tuple[str, Facts, str]] = [
    ("the scope names nobody", world(outside=[an_outsider()], searches=[a_scope()]), "found"),
    ("the scope names another", world(outside=[an_outsider()], searches=[a_scope(guid("other"))]), "found"),
    ("it is in the scope", world(outside=[an_outsider()], searches=[a_scope(WEB.vm_id)]), "nothing"),
    ("in upper case", world(outside=[an_outsider()], searches=[a_scope(WEB.vm_id.upper())]), "nothing"),
    ("in the other byte order", world(outside=[an_outsider()], searches=[a_scope(swapped(WEB.vm_id))]), "nothing"),
    ("by its name", world(outside=[an_outsider()], searches=[a_scope(names='"WEB-01"')]), "nothing"),
    ("by a longer name that is another's",
     world(outside=[an_outsider()], searches=[a_scope(names='"web-01b"')]), "found"),
    ("there is no scope", world(outside=[an_outsider()]), "nothing"),
    ("only another solution has one",
     world(outside=[an_outsider()],
           searches=[a_saved_search("Heartbeat", id_=a_scope().arm_id.replace("updates|", "changetracking|"))]),
     "nothing"),
    ("somebody wrote the scope anew",
     world(outside=[an_outsider()], searches=[a_saved_search('Heartbeat | where Computer startswith "web"')]),
     "unknown"),
    ("somebody added a condition",
     world(outside=[an_outsider()],
           searches=[a_saved_search(
               'Heartbeat | where Computer in~ ("") or VMUUID in~ ("") or OSType == "Linux" | distinct Computer')]),
     "unknown"),
    # A new agent has its solutions within the hour.
    ("an agent of an hour",
     world(outside=[an_outsider(First=format_time(NOW - HOUR))], searches=[a_scope()]), "nothing"),
    ("stopped since",
     world(outside=[an_outsider()], machines=[replace(WEB, power=PowerState.DEALLOCATED)], searches=[a_scope()]),
     "nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("facts_", "said"), [row[1:] for row in SCOPE], ids=[row[0] for row in SCOPE])
def test_a_machine_without_the_solution_that_the_scope_does_not_name_is_left_out(facts_: Facts, said: str) -> None:
    assert answer(ScopeExcluded().detect(facts_)) == said


OTHER = guid("another workspace")
POINTED: list[tuple[str, list[AgentExtension], str]] = [
    ("at this workspace", [an_agent(WEB)], "nothing"),
    ("at another one", [an_agent(WEB, OTHER)], "found"),
    ("at both", [an_agent(WEB), an_agent(WEB, OTHER)], "found"),
    ("on Arc, at another one", [an_agent(ARC, OTHER, kind="OmsAgentForLinux")], "found"),
    ("nobody knows where", [an_agent(WEB, "")], "unknown"),
    ("a machine that the inventory does not have", [an_agent(a_machine("gone"), OTHER)], "nothing"),
    ("no extension at all", [], "nothing"),
]


@pytest.mark.parametrize(("agents", "said"), [row[1:] for row in POINTED], ids=[row[0] for row in POINTED])
def test_an_agent_belongs_to_the_workspace_that_the_account_looks_into(agents: list[AgentExtension], said: str) -> None:
    assert answer(WrongWorkspace().detect(world(agents=agents))) == said


def test_an_agent_at_two_workspaces_is_told_as_such() -> None:
    (finding,) = WrongWorkspace().detect(world(agents=[an_agent(WEB), an_agent(WEB, OTHER)]))

    assert isinstance(finding, Finding)
    assert finding.reason == f"its agent reports to {OTHER} as well"
    assert finding.evidence["workspaceIdExpected"] == WORKSPACE_GUID
    assert finding.evidence["multihomed"] is True


def everybody(workspace: LogWorkspace, unreadable: dict[str, str] | None = None) -> Facts:
    return world(
        silent=[a_silent()],
        unassessed=[an_unassessed(LINUX)],
        outside=[an_outsider(ARC)],
        searches=[a_scope()],
        workspace=workspace,
        unreadable=unreadable,
    )


@pytest.mark.parametrize("detector", [NoHeartbeat(), NotAssessed(), ScopeExcluded()], ids=lambda one: one.finds.value)
class TestTheWorkspaceComesFirst:
    @pytest.mark.parametrize(("workspace", "why"), EXPLAINED)
    def test_one_cause_explains_all_machines_and_none_of_them_is_looked_at(
        self, detector: Detector, workspace: LogWorkspace, why: str
    ) -> None:
        facts_ = everybody(workspace)
        said = list(detector.detect(facts_))

        assert found(said) == []
        assert unknown(said) == {"": f"what machines report: {why}, which comes first"}
        assert detector.suspects(facts_) == frozenset()

    @pytest.mark.parametrize("reading", ["log-workspace", "machines", "ingestion-status"])
    def test_what_was_not_read_makes_the_whole_state_unknown(self, detector: Detector, reading: str) -> None:
        facts_ = everybody(a_workspace(), {reading: "403"})
        said = list(detector.detect(facts_))

        assert found(said) == []
        assert unknown(said) == {"": "403"}
        assert detector.suspects(facts_) == frozenset()

    def test_under_a_healthy_workspace_each_is_found(self, detector: Detector) -> None:
        assert len(found(detector.detect(everybody(a_workspace())))) == 1


def test_only_suspects_are_looked_at_closer() -> None:
    facts_ = everybody(a_workspace())

    assert NoHeartbeat().suspects(facts_) == {WEB.id}
    assert NotAssessed().suspects(facts_) == {LINUX.id}
