"""S11: a deployment's maintenance window is too short for its updates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

from detectors.protocol import unreadable
from model.documents import at
from model.facts import Deployment, Facts, Reading, UpdateRun
from model.findings import Detection, Finding, Unknown
from model.runs import newest_runs
from model.states import FailureState
from model.times import format_duration, format_time, in_words

_EXCEEDED: Final = "maintenancewindowexceeded"
_HRESULT: Final = re.compile(r"0x8[0-9a-f]{7}|-21[0-9]{8}", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceWindowExceeded:
    """A deployment ran out of time, so that machines stay without updates that were due.

    Looks like: runs end `MaintenanceWindowExceeded`; updates are skipped or left for the next run.
    Evidence: the newest run's status, at the window that the deployment has now.
    Healthy: the newest run succeeded; the deployment is disabled, or a one-time deployment that is over; updates failed
    with an error in the same run, which is the failure to mend first.
    Unknown: the window was changed since the newest run, so that only the next one can tell.
    Source: troubleshooting article, "Update deployment exceeded its maintenance window" (S11).
    """

    finds: ClassVar[FailureState] = FailureState.MAINTENANCE_WINDOW_EXCEEDED
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.DEPLOYMENTS, Reading.RUNS, Reading.MACHINE_RUNS})
    queries: ClassVar[frozenset[str]] = frozenset({"failed-installations"})
    of_last: int = 3
    """How many of the newest runs are looked at, so that the reason can say how often it happened."""
    exceeded_runs: int = 1
    """How many of them must have exceeded; the newest always has to."""

    def suspects(self, facts: Facts) -> frozenset[str]:
        """Deployments whose newest run exceeded: only their full document says whether they are enabled."""
        return frozenset(deployment.id for deployment, _ in self._exceeded(facts))

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unreadable(self, facts):
            yield gap
            return
        failed = {str(row.get("RunId")): row for row in facts.rows["failed-installations"]}
        failed_machines = {run.run for run in facts.machine_runs if _HRESULT.search(run.error)}
        for deployment, runs in self._exceeded(facts):
            newest = runs[0]
            if newest.id in failed or newest.id in failed_machines:
                continue
            if unread := facts.missing(deployment.id):
                yield Unknown(state=self.finds, target=deployment.id, missing=unread.what)
                continue
            document = facts.documents.get(deployment.id)
            if document is None or at(document, "properties.scheduleInfo.isEnabled") is not True:
                continue
            now_over = deployment.next_run is None or deployment.next_run <= facts.now
            if deployment.frequency.lower() == "onetime" and now_over:
                continue
            if deployment.duration is None or newest.configured_duration is None:
                yield Unknown(
                    state=self.finds, target=deployment.id, missing="the window of the deployment or of its run"
                )
                continue
            if newest.configured_duration < deployment.duration:
                yield Unknown(
                    state=self.finds,
                    target=deployment.id,
                    missing=f"a run with the present window of {in_words(deployment.duration)}; the next one tells",
                )
                continue
            exceeded = [run for run in runs if run.status == _EXCEEDED]
            often = f"{len(exceeded)} of the last {len(runs)} runs"
            yield Finding(
                state=self.finds,
                target=deployment.id,
                name=deployment.name,
                reason=f"{often} exceeded the window of {in_words(deployment.duration)}",
                since=exceeded[-1].start,
                evidence={
                    "duration": format_duration(deployment.duration),
                    "exceededRuns": [run.id for run in exceeded],
                    "starts": [format_time(run.start) for run in exceeded if run.start],
                },
            )

    def _exceeded(self, facts: Facts) -> Iterator[tuple[Deployment, tuple[UpdateRun, ...]]]:
        for id_, runs in newest_runs(facts).by_deployment.items():
            last = runs[: self.of_last]
            if last[0].status == _EXCEEDED and sum(run.status == _EXCEEDED for run in last) >= self.exceeded_runs:
                yield facts.deployments[id_], last
