"""S1, the workspace itself: over its quota, not linked, without the solution."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from detectors.updates_solution_missing import UpdatesSolutionMissing
from detectors.workspace_not_linked import WorkspaceNotLinked
from detectors.workspace_over_quota import WorkspaceOverQuota
from model.facts import Facts, LogWorkspace, Row
from model.findings import Finding
from model.times import format_time
from tests.builders import ACCOUNT, DAY, HOUR, NOW, WORKSPACE, a_machine, a_workspace, facts
from tests.detectors.answers import answer
from tests.detectors.test_not_in_portal import a_silent, an_unassessed

STOPPED = "Data collection stopped due to daily limit of free data reached. Ingestion status = OverQuota"
"""The article's own text."""
RESUMED = "Data collection resumed"
OTHER = WORKSPACE.lower().replace("/law", "/other")


def said_of_itself(detail: str, *, ago: timedelta = HOUR) -> Row:
    """A row of `ingestion-status.kql`."""
    return {"TimeGenerated": format_time(NOW - ago), "Detail": detail}


def world(workspace: LogWorkspace | None, *rows: Row, unreadable: dict[str, str] | None = None) -> Facts:
    return facts(workspace=workspace, rows={"ingestion-status": rows}, unreadable=unreadable)


QUOTA: list[tuple[str, Facts, str]] = [
    ("within its quota", world(a_workspace()), "nothing"),
    ("over its quota", world(a_workspace(ingestion="overquota")), "found"),
    ("suspended", world(a_workspace(ingestion="subscriptionsuspended")), "found"),
    ("switched off by Azure", world(a_workspace(ingestion="forceoff")), "found"),
    # A warning is no stop.
    ("near its quota", world(a_workspace(ingestion="approachingquota")), "nothing"),
    ("forced on", world(a_workspace(ingestion="forceon")), "nothing"),
    ("its log says so before its status does", world(a_workspace(), said_of_itself(STOPPED)), "found"),
    ("resumed since", world(a_workspace(), said_of_itself(RESUMED)), "nothing"),
    ("its log says something else", world(a_workspace(), said_of_itself("Data was dropped")), "nothing"),
    ("no status, and a log that says so", world(a_workspace(ingestion=""), said_of_itself(STOPPED)), "found"),
    # The next reset is in ten hours, so that the last was fourteen hours ago.
    ("it stopped as the cap was reset", world(a_workspace(), said_of_itself(STOPPED, ago=14 * HOUR)), "found"),
    ("it stopped before the cap was reset", world(a_workspace(), said_of_itself(STOPPED, ago=15 * HOUR)), "nothing"),
    ("nobody knows when the cap is reset",
     world(a_workspace(resets=None), said_of_itself(STOPPED, ago=15 * HOUR)), "found"),
    ("the workspace could not be read", world(None, unreadable={"log-workspace": "403"}), "unknown"),
    ("its log could not be read", world(a_workspace(), unreadable={"ingestion-status": "timed out"}), "unknown"),
    ("its log could not be read, and its status is enough",
     world(a_workspace(ingestion="overquota"), unreadable={"ingestion-status": "timed out"}), "found"),
]  # fmt: skip


@pytest.mark.parametrize(("facts_", "said"), [row[1:] for row in QUOTA], ids=[row[0] for row in QUOTA])
def test_a_workspace_that_takes_nothing_in_is_over_its_quota(facts_: Facts, said: str) -> None:
    assert answer(WorkspaceOverQuota().detect(facts_)) == said


LINKS: list[tuple[str, LogWorkspace | None, str]] = [
    ("each names the other", a_workspace(), "nothing"),
    ("the account names none", a_workspace(account_links_to=""), "found"),
    ("the account names another", a_workspace(account_links_to=OTHER), "found"),
    ("the workspace names none", a_workspace(linked_account=""), "found"),
    ("the workspace names another", a_workspace(linked_account=f"{ACCOUNT.lower()}2"), "found"),
    ("nobody knows", None, "unknown"),
]


@pytest.mark.parametrize(("workspace", "said"), [row[1:] for row in LINKS], ids=[row[0] for row in LINKS])
def test_account_and_workspace_are_linked_where_each_names_the_other(workspace: LogWorkspace | None, said: str) -> None:
    assert answer(WorkspaceNotLinked().detect(world(workspace))) == said


SOLUTIONS: list[tuple[str, LogWorkspace | None, str]] = [
    ("there and on", a_workspace(), "nothing"),
    ("gone", a_workspace(solution=False, pack=False), "found"),
    ("gone, and its pack left on", a_workspace(solution=False), "found"),
    ("off", a_workspace(pack=False), "found"),
    ("nobody knows", None, "unknown"),
]


@pytest.mark.parametrize(("workspace", "said"), [row[1:] for row in SOLUTIONS], ids=[row[0] for row in SOLUTIONS])
def test_without_the_solution_nothing_is_assessed(workspace: LogWorkspace | None, said: str) -> None:
    assert answer(UpdatesSolutionMissing().detect(world(workspace))) == said


def crowd(count: int, **unreadable: str) -> Facts:
    machines = [a_machine(f"web-{number:03}") for number in range(count)]
    stopped = a_workspace(ingestion="overquota", account_links_to="", solution=False)
    return facts(
        machines=machines,
        workspace=stopped,
        rows={
            "ingestion-status": [said_of_itself(STOPPED)],
            "no-heartbeat": [a_silent(machine) for machine in machines],
            # Silent and not assessed is one machine, not two.
            "not-assessed": [an_unassessed(machine) for machine in machines[:7]],
        },
        unreadable={name.replace("_", "-"): what for name, what in unreadable.items()},
    )


DETECTORS = [WorkspaceOverQuota(), WorkspaceNotLinked(), UpdatesSolutionMissing()]


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda one: one.finds.value)
class TestOneCauseIsOneFinding:
    def test_it_counts_its_machines_and_lists_fifty(
        self, detector: WorkspaceOverQuota | WorkspaceNotLinked | UpdatesSolutionMissing
    ) -> None:
        (finding,) = detector.detect(crowd(60))

        assert isinstance(finding, Finding)
        assert (finding.target, finding.name) == (WORKSPACE.lower(), "law")
        assert finding.evidence["machineCount"] == 60
        assert finding.evidence["machines"] == [a_machine(f"web-{number:03}").id for number in range(50)]

    def test_it_is_found_where_its_machines_cannot_be_counted(
        self, detector: WorkspaceOverQuota | WorkspaceNotLinked | UpdatesSolutionMissing
    ) -> None:
        (finding,) = detector.detect(crowd(3, no_heartbeat="timed out"))

        assert isinstance(finding, Finding)
        assert (finding.evidence["machineCount"], finding.evidence["machinesUnknown"]) == (None, "timed out")


def test_the_finding_says_since_when_and_how_much_was_allowed() -> None:
    since: datetime = NOW - HOUR
    (finding,) = WorkspaceOverQuota().detect(
        world(a_workspace(ingestion="overquota", quota=2.5, resets=NOW + DAY / 4), said_of_itself(STOPPED))
    )

    assert isinstance(finding, Finding)
    assert (finding.since, finding.reason) == (since, "has reached its daily cap and takes no more data in")
    assert finding.evidence["dailyQuotaGb"] == 2.5
    assert finding.evidence["quotaNextResetTime"] == "2026-03-10T12:00:00Z"
    assert finding.evidence["operation"] == STOPPED
