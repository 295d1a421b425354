"""S6, cause f: the account ran as many jobs as it may when a run began."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from detectors.failed_starts import QUERIES, READS, FailedStart, FailedStarts
from detectors.protocol import unreadable
from model.facts import Facts, Job, Reading
from model.findings import Detection, Finding, Unknown
from model.states import FailureState
from model.times import format_time

_WAITING = frozenset({"new", "activating"})


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimitReached:
    """The Automation account was at its limit of concurrent jobs when machines failed to start.

    Looks like: machine runs end `FailedToStart` in runs that begin together, on machines that start at others; each
    deployment is one job, and each machine in it one more.
    Evidence: jobs that were under way or waited when the run began, against `PATCHWRIGHT_JOB_LIMIT`; 90 % are enough,
    because jobs also end and begin within the minute. Only machines that nothing else in S6 explains count.
    Healthy: fewer jobs; every failed start has a cause of its own.
    Unknown: the jobs around the run could not be read.
    Source: troubleshooting article, "Scheduled update fails for a machine" (S6); Azure Automation limits.
    """

    finds: ClassVar[FailureState] = FailureState.JOB_LIMIT_REACHED
    reads: ClassVar[frozenset[Reading]] = READS | {Reading.JOBS}
    queries: ClassVar[frozenset[str]] = QUERIES
    limit: int = 50
    """Concurrent jobs of an account: 50 with an enterprise agreement or CSP, 10 pay-as-you-go, 5 free, 200 in
    government clouds."""
    percent: int = 90
    """How much of the limit counts as reached."""
    starting: timedelta = timedelta(minutes=5)
    """How long after a run has begun its own jobs still start."""
    most_named: int = 50

    def suspects(self, facts: Facts) -> frozenset[str]:
        return FailedStarts(facts=facts).suspects()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unreadable(self, facts):
            yield gap
            return
        reached: dict[str, int] = {}
        victims: dict[str, list[FailedStart]] = {}
        for run, starts in _unexplained(facts).items():
            if unread := facts.missing(f"jobs:{run}"):
                yield Unknown(state=self.finds, target=facts.account, missing=unread.what)
            elif (began := starts[0].started) is None or run not in facts.jobs:
                missing = f"the jobs around a run of {starts[0].deployment.name}"
                yield Unknown(state=self.finds, target=facts.account, missing=missing)
            else:
                jobs = sum(self._counts(job, began) for job in facts.jobs[run])
                if jobs * 100 >= self.limit * self.percent:
                    reached[run], victims[run] = jobs, starts
        if reached:
            yield self._finding(facts, reached, victims)

    def _counts(self, job: Job, began: datetime) -> bool:
        """True where the job was under way, or waited, when the run began."""
        until = began + self.starting
        if job.start is None:
            return job.status in _WAITING and job.created is not None and job.created <= until
        return job.start <= until and (job.end is None or job.end > began)

    def _finding(self, facts: Facts, reached: dict[str, int], victims: dict[str, list[FailedStart]]) -> Finding:
        worst = max(reached, key=lambda run: reached[run])
        starts = [start for found in victims.values() for start in found]
        times = [start.started for start in starts if start.started]
        machines = sorted({start.part.target for start in starts})
        deployments = sorted({start.deployment.name for start in starts})
        return Finding(
            state=self.finds,
            target=facts.account,
            name=facts.account.rsplit("/", 1)[-1],
            reason=f"{reached[worst]} jobs of at most {self.limit} when {len(machines)} machines failed to start",
            since=min(times, default=None),
            evidence={
                "limit": self.limit,
                "jobs": reached[worst],
                "deployments": [*deployments],
                "runs": [{"run": run, "start": format_time(began), "jobs": jobs}
                         for run, jobs in reached.items() if (began := victims[run][0].started)],
                "machines": [*machines[: self.most_named]],
                "machineCount": len(machines),
                "usages": [{"name": u.name, "current": u.current, "limit": u.limit} for u in facts.usages],
            },
        )  # fmt: skip


def _unexplained(facts: Facts) -> dict[str, list[FailedStart]]:
    """By run: the failed starts that nothing in the tree explains, nor may explain."""
    starts = FailedStarts(facts=facts)
    found: dict[str, list[FailedStart]] = {}
    for target in starts.by_target:
        if starts.cause(target) is None and target in facts.machines and not starts.changed_identity(target):
            again, _ = starts.running_again(target)
            for start in again:
                found.setdefault(start.part.run, []).append(start)
    return found
