"""S11: a deployment's maintenance window is too short for its updates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

from detectors.protocol import unreadable
from model.facts import Deployment, Facts, Reading, UpdateRun
from model.findings import Detection, Finding, Unknown
from model.runs import UNDER_WAY, newest_runs, runs_again
from model.states import FailureState
from model.times import format_duration, format_time, in_words

_EXCEEDED: Final = "maintenancewindowexceeded"
_HRESULT: Final = re.compile(r"0x8[0-9a-f]{7}|-21[0-9]{8}", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceWindowExceeded:
    """A deployment ran out of time, so that machines stay without updates that were due.

    Looks like: runs end `MaintenanceWindowExceeded`; updates are skipped or left for the next run.
    Evidence: the status of the newest run that has ended, at the window that the deployment has now.
    Healthy: that run succeeded; the deployment is disabled, or over; updates failed with an error in that run on the
    machines that ran out of time, which is the failure to mend first.
    Unknown: a run is under way, or the window was made longer since the newest run, so that only the next one can tell.
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
        under_way = {run.deployment for run in facts.runs if run.status in UNDER_WAY}
        for deployment, runs in self._exceeded(facts):
            newest = runs[0]
            if _failed_otherwise(newest, facts):
                continue
            if unread := facts.missing(deployment.id):
                yield Unknown(state=self.finds, target=deployment.id, missing=unread.what)
                continue
            document = facts.documents.get(deployment.id)
            coming = runs_again(document, facts.now) if document is not None else False
            if coming is False:
                continue
            if coming is None:
                missing = f"whether {deployment.name} will run again"
                yield Unknown(state=self.finds, target=deployment.id, missing=missing)
                continue
            if deployment.name.lower() in under_way:
                missing = f"the end of the run of {deployment.name} that is under way"
                yield Unknown(state=self.finds, target=deployment.id, missing=missing)
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
            often = f"{len(exceeded)} of the last {len(runs)} runs" if len(runs) > 1 else "the only run on record"
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
            last = tuple(run for run in runs if run.status not in UNDER_WAY)[: self.of_last]
            exceeded = sum(run.status == _EXCEEDED for run in last)
            if last and last[0].status == _EXCEEDED and exceeded >= self.exceeded_runs:
                yield facts.deployments[id_], last


def _failed_otherwise(run: UpdateRun, facts: Facts) -> bool:
    """True where the machines that ran out of time also failed to download or install something.

    Where nobody says which machines ran out of time, a failure anywhere in the run counts.
    """
    parts = [part for part in facts.machine_runs if part.run == run.id]
    late = {part.source_computer_id for part in parts if part.status == _EXCEEDED}
    failed = {part.source_computer_id for part in parts if _HRESULT.search(part.error)}
    rows = facts.rows["failed-installations"]
    failed |= {str(row.get("SourceComputerId")) for row in rows if row.get("RunId") == run.id}
    return bool(failed & late if late and "" not in late | failed else failed)
