"""Why a machine failed to start: each cause with its boundaries, and only the first that fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from detectors.job_limit_reached import JobLimitReached
from detectors.protocol import Detector
from detectors.vm_deleted import VmDeleted
from detectors.vm_moved import VmMoved
from detectors.vm_stopped import VmStopped
from detectors.worker_group_purged import WorkerGroupPurged
from detectors.worker_unreachable import WorkerUnreachable
from model.documents import Document
from model.facts import Facts, Job, Machine, PowerState
from model.findings import Finding, Unknown
from tests.builders import (
    ACCOUNT,
    DAY,
    ELSEWHERE,
    HOUR,
    MINUTE,
    NOW,
    a_body,
    a_job,
    a_machine,
    a_machine_run,
    a_run,
    a_silence,
    a_system_group,
    an_identity,
    an_instance_view,
    facts,
    guid,
    its_workers,
    swapped,
    update_deployment,
    vm,
)

TREE: tuple[Detector, ...] = (
    VmDeleted(),
    VmMoved(),
    VmStopped(),
    WorkerUnreachable(),
    WorkerGroupPurged(),
    JobLimitReached(),
)
AGENT, OTHER = guid("agent"), guid("another agent")
WEB, SQL = a_machine("web-01"), a_machine("sql-01")
OFF = replace(SQL, power=PowerState.DEALLOCATED)
GROUP = a_system_group("sql-01.contoso.com", AGENT)
WEEKLY = update_deployment("Weekly").lower()
RAN = NOW - 4 * DAY
"""When the newest run started."""
NO_SUCH_GROUP = (
    "Failed to start the runbook. Check the parameters passed. RunbookName Patch-MicrosoftOMSComputer. Exception You "
    "have requested to create a runbook job on a hybrid worker group that does not exist."
)
"""The article's own words."""


def world(
    *machines: Machine,
    target: Machine | str = SQL,
    body: dict[str, Any] | None = None,
    call: dict[str, Any] | None = None,
    run: dict[str, Any] | None = None,
    silent: Sequence[Document] = (),
    identities: Sequence[Document] = (),
    jobs: dict[str, Sequence[Job]] | None = None,
    **rest: Any,
) -> Facts:
    """The target failed to start in Friday's run; everything else is as the case says."""
    naming = a_body(**{"machines": [WEB, target], **(body or {})})
    called = a_machine_run(**{"machine": target if isinstance(target, str) else target.id, "source": AGENT,
                              "start": RAN, "error": NO_SUCH_GROUP, **(call or {})})  # fmt: skip
    return facts(
        machines=[WEB, *machines],
        bodies=[naming],
        runs=[a_run(**{"status": "Failed", "start": RAN, **(run or {})})],
        machine_runs=[called],
        rows={"silent-machines": silent, "source-id-changed": identities},
        jobs=jobs if jobs is not None else {"run-1": ()},
        **rest,
    )


def worked(machine: Machine, *seen: datetime | None, **rest: Any) -> Facts:
    """A machine with the worker that was called, and when that was seen."""
    return world(machine, system_groups=[GROUP], views=[its_workers(GROUP, *seen)], **rest)


def said(facts_: Facts) -> str:
    """What the whole tree says: at most one thing, as `state` or `state?` where it could not be told."""
    told = [detection for detector in TREE for detection in detector.detect(facts_)]
    assert len(told) <= 1
    return f"{told[0].state.value}{'?' * isinstance(told[0], Unknown)}" if told else "nothing"


def the_finding(facts_: Facts) -> Finding:
    (one,) = [d for detector in TREE for d in detector.detect(facts_) if isinstance(d, Finding)]
    return one


MOVED = a_machine("sql-01", group="rg-new", vm_id=SQL.vm_id)
NAMESAKE = a_machine("sql-01", group="rg-new")
LAST = NOW - 5 * DAY

GONE: list[tuple[str, Facts, str]] = [
    ("404, not in Resource Graph, its vmId nowhere", world(silent=[a_silence(SQL, last=LAST)]), "vm-deleted"),
    ("nobody remembers its vmId, and nobody bears its name", world(), "vm-deleted"),
    ("nobody remembers its vmId, and another VM bears its name", world(NAMESAKE), "vm-deleted?"),
    ("another VM bears its name under a vmId of its own", world(NAMESAKE, silent=[a_silence(SQL, last=LAST)]),
     "vm-deleted"),
    ("403", world(unreadable={SQL.id: "GET: 403 AuthorizationFailed"}), "vm-deleted?"),
    ("429", world(unreadable={SQL.id: "GET: 429"}), "vm-deleted?"),
    ("503", world(unreadable={SQL.id: "GET: 503"}), "vm-deleted?"),
    ("a GET finds it", world(views=[an_instance_view(SQL)]), "vm-deleted?"),
    ("its subscription is not in scope", world(target=vm("sql-01", subscription=ELSEWHERE).lower()), "vm-deleted?"),
    ("it is under another resource id", world(MOVED, silent=[a_silence(SQL, last=LAST)]), "vm-moved"),
    ("so it is, and beat in the other byte order",
     world(MOVED, silent=[a_silence(SQL, last=LAST, vm_id=swapped(SQL.vm_id).upper())]), "vm-moved"),
    ("renamed on the way", world(replace(MOVED, name="sql-99"), silent=[a_silence(SQL, last=LAST)]), "vm-moved"),
    ("the deployment does not name it any more", world(body={"machines": [WEB]}), "nothing"),
    ("the deployment is disabled", world(body={"enabled": False}), "nothing"),
    ("a one-time deployment that is over", world(body={"frequency": "OneTime", "next_run": NOW - DAY}), "nothing"),
    ("its schedule could not be read", world(unreadable={WEEKLY: "GET: 503"}, without=[WEEKLY]), "vm-deleted?"),
    ("the schedule does not say whether it is enabled", world(body={"enabled": None}), "vm-deleted?"),
    ("a name, not a resource", world(call={"machine": "sql-01"}), "nothing"),
    ("it ended otherwise", world(call={"status": "Failed"}), "nothing"),
    ("the run is not the deployment's newest", world(run={"id_": "run-0"}), "nothing"),
]  # fmt: skip

STOPPED: list[tuple[str, Facts, str]] = [
    ("deallocated, and not seen since before the run", worked(OFF, RAN - HOUR), "vm-stopped"),
    ("stopped", worked(replace(OFF, power=PowerState.STOPPED), RAN - HOUR), "vm-stopped"),
    # Up to the very start of the run is down when it is called.
    ("seen last as the run began", worked(OFF, RAN), "vm-stopped"),
    ("seen a minute after it had begun: up at that time", worked(OFF, RAN + MINUTE), "nothing"),
    ("its agent beat after the run had begun", worked(OFF, RAN - HOUR, silent=[a_silence(SQL, last=RAN + HOUR)]),
     "nothing"),
    ("its worker was never seen", worked(OFF, None), "vm-stopped"),
    ("it has no worker any more: stopped comes first", world(OFF), "vm-stopped"),
    ("its worker could not be read", world(OFF, system_groups=[GROUP], unreadable={
        f"{GROUP.id}/hybridrunbookworkers": "GET: 503"}), "vm-stopped?"),
    ("no power state", worked(replace(SQL, power=PowerState.UNKNOWN), RAN), "vm-stopped?"),
    ("starting", worked(replace(SQL, power=PowerState.STARTING), RAN), "vm-stopped?"),
    ("the deployment is disabled", worked(OFF, RAN - HOUR, body={"enabled": False}), "nothing"),
]  # fmt: skip

RUNNING: list[tuple[str, Facts, str]] = [
    # 61 minutes are too long, 60 are not.
    ("its worker was seen 61 minutes ago", worked(SQL, NOW - 61 * MINUTE), "worker-unreachable"),
    ("60 minutes ago", worked(SQL, NOW - HOUR), "nothing"),
    ("one of its workers was seen lately", worked(SQL, NOW - DAY, NOW - MINUTE), "nothing"),
    ("its worker was never seen", worked(SQL, None), "worker-unreachable"),
    ("the group has no worker in it", worked(SQL), "worker-unreachable?"),
    ("the workers could not be read", world(SQL, system_groups=[GROUP], unreadable={
        f"{GROUP.id}/hybridrunbookworkers": "GET: 429"}), "worker-unreachable?"),
    ("nobody says whom the run called", world(SQL, call={"source": ""}), "worker-unreachable?"),
    ("its last beat says whom",
     world(SQL, call={"source": ""}, silent=[a_silence(SQL, last=NOW - 40 * DAY, source=AGENT)]),
     "worker-group-purged"),
    # No group: Azure purges after 30 days without a ping.
    ("no group, silent for 29 days", world(SQL, silent=[a_silence(SQL, last=NOW - 29 * DAY)]), "worker-unreachable"),
    ("no group, silent for 30 days", world(SQL, silent=[a_silence(SQL, last=NOW - 30 * DAY)]), "worker-group-purged"),
    ("no group, and no trace of it for 35 days, or it beats", world(SQL), "worker-group-purged"),
    ("no group, and the run failed to start for another reason", world(SQL, call={"error": "Throttled"}), "nothing"),
    ("no group, and no word of why", world(SQL, call={"error": ""}), "worker-group-purged"),
    ("a group of its name under another identity: it registered anew",
     world(SQL, system_groups=[a_system_group("SQL-01.contoso.com", OTHER)]), "nothing"),
    ("a group for the name under which it beat",
     world(SQL, system_groups=[a_system_group("db1.contoso.com", OTHER)],
           silent=[a_silence(SQL, last=NOW - 40 * DAY, computer="db1.contoso.com")]), "nothing"),
    ("groups of others only", world(SQL, system_groups=[a_system_group("web-01", OTHER)]), "worker-group-purged"),
    ("it beats under another identity: source-id-changed",
     world(SQL, identities=[an_identity(SQL, AGENT, last=LAST), an_identity(SQL, OTHER, last=NOW)]), "nothing"),
    ("the worker of its old identity is left behind",
     worked(SQL, NOW - DAY, identities=[an_identity(SQL, AGENT, last=LAST), an_identity(SQL, OTHER, last=NOW)]),
     "nothing"),
    ("it is silent under its new identity, too",
     worked(SQL, NOW - 3 * DAY, silent=[a_silence(SQL, last=NOW - DAY, source=OTHER)],
            identities=[an_identity(SQL, AGENT, last=LAST), an_identity(SQL, OTHER, last=NOW - DAY)]),
     "worker-unreachable"),
    ("it beats again under the identity that was called",
     world(SQL, identities=[an_identity(SQL, OTHER, last=LAST), an_identity(SQL, AGENT, last=NOW)]),
     "worker-group-purged"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("facts_", "expected"),
    [row[1:] for row in [*GONE, *STOPPED, *RUNNING]],
    ids=[f"{part}: {row[0]}" for part, rows in (("gone", GONE), ("stopped", STOPPED), ("running", RUNNING))
         for row in rows],
)  # fmt: skip
def test_the_first_cause_that_fits_is_the_cause(facts_: Facts, expected: str) -> None:
    assert said(facts_) == expected


@pytest.mark.parametrize(
    ("lost", "detector"),
    [(name, detector) for detector in TREE for name in sorted({*detector.reads, *detector.queries})],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_without_a_reading_nothing_can_be_told(lost: str, detector: Detector) -> None:
    (only,) = detector.detect(world(unreadable={lost: "GET: 503"}))
    assert isinstance(only, Unknown)
    assert only.missing == "GET: 503"


class TestSince:
    """A VM is gone since the run that could not start on it, or since its last beat, whichever is later."""

    def test_the_run(self) -> None:
        assert the_finding(world(silent=[a_silence(SQL, last=RAN - DAY)])).since == RAN

    def test_the_last_beat(self) -> None:
        """The run failed for something else then; it lived after it."""
        assert the_finding(world(silent=[a_silence(SQL, last=NOW - 2 * HOUR)])).since == NOW - 2 * HOUR

    def test_neither_is_known(self) -> None:
        assert the_finding(world(call={"start": None}, run={"start": None})).since is None


class TestSuspects:
    """A closer look at what is broken, and at nothing else."""

    def test_an_absent_vm_is_looked_for(self) -> None:
        assert VmDeleted().suspects(world()) == {WEEKLY, SQL.id}

    def test_one_in_another_subscription_is_not(self) -> None:
        assert VmDeleted().suspects(world(target=vm("x", subscription=ELSEWHERE).lower())) == {WEEKLY}

    def test_of_a_present_one_the_worker_that_was_called_is_looked_at(self) -> None:
        assert VmDeleted().suspects(worked(SQL, NOW)) == {WEEKLY, f"{GROUP.id}/hybridrunbookworkers"}

    def test_where_everything_started_nobody_is_suspected(self) -> None:
        assert VmDeleted().suspects(world(SQL, call={"status": "Failed"})) == frozenset()


class TestJobLimit:
    """Only what nothing else explains may be the account's limit."""

    def crowded(self, count: int, **rest: Any) -> Facts:
        jobs = [a_job(f"job-{n}", RAN - MINUTE, RAN + HOUR) for n in range(count)]
        return worked(SQL, NOW, jobs={"run-1": jobs}, **rest)

    # 90 % of 50 are 45.
    @pytest.mark.parametrize(("count", "expected"), [(45, "job-limit-reached"), (44, "nothing"), (0, "nothing")])
    def test_nine_tenths_of_the_limit_are_the_limit(self, count: int, expected: str) -> None:
        assert said(self.crowded(count)) == expected

    @pytest.mark.parametrize(
        ("job", "counts"),
        [
            (a_job("j", RAN, RAN + MINUTE), 1),
            (a_job("j", RAN - 5 * HOUR), 1),
            # The run's own jobs start within five minutes of it.
            (a_job("j", RAN + 5 * MINUTE), 1),
            (a_job("j", RAN + 6 * MINUTE), 0),
            (a_job("j", RAN - HOUR, RAN), 0),
            (a_job("j", None, created=RAN), 1),
            (a_job("j", None, created=RAN + DAY), 0),
            (a_job("j", None, created=RAN, status="suspended"), 0),
        ],
    )
    def test_a_job_counts_where_it_was_under_way_or_waited(self, job: Job, counts: int) -> None:
        detector = JobLimitReached(limit=1)
        assert len([*detector.detect(worked(SQL, NOW, jobs={"run-1": [job]}))]) == counts

    def test_it_is_one_finding_on_the_account(self) -> None:
        finding = the_finding(self.crowded(60))
        assert finding.target == ACCOUNT.lower()
        assert finding.evidence["jobs"] == 60
        assert finding.evidence["machines"] == [SQL.id]
        assert finding.evidence["deployments"] == ["Weekly"]

    def test_a_stopped_machine_is_stopped_however_many_jobs_there_were(self) -> None:
        crowd = {"run-1": [a_job(f"job-{n}", RAN) for n in range(60)]}
        assert said(worked(OFF, RAN - HOUR, jobs=crowd)) == "vm-stopped"

    def test_a_changed_identity_explains_it(self) -> None:
        changed = [an_identity(SQL, AGENT, last=LAST), an_identity(SQL, OTHER, last=NOW)]
        assert said(self.crowded(60, identities=changed)) == "nothing"

    def test_jobs_that_were_not_read_are_not_none(self) -> None:
        assert said(worked(SQL, NOW, jobs={})) == "job-limit-reached?"
        assert said(worked(SQL, NOW, jobs={}, unreadable={"jobs:run-1": "GET: 429"})) == "job-limit-reached?"
