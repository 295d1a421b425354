"""X8: one worker was sent more jobs than it takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from detectors.machine_run_errors import told_by_runs
from model.facts import Facts, Reading
from model.findings import Detection
from model.states import FailureState


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerJobLimitReached:
    """A machine was left out of an update run, because its worker was sent more jobs at once than it takes.

    Looks like: "Job was suspended as it exceeded the job limit for a Hybrid Worker".
    Evidence: that error, in the machine's part of a deployment's newest run.
    Healthy: the newest run of each deployment says nothing of it.
    Unknown: runs, deployments or machines could not be read.
    Source: hybrid runbook worker article, job limit of a worker (X8).
    """

    finds: ClassVar[FailureState] = FailureState.WORKER_JOB_LIMIT_REACHED
    reads: ClassVar[frozenset[Reading]] = frozenset(
        {Reading.MACHINES, Reading.DEPLOYMENTS, Reading.RUNS, Reading.MACHINE_RUNS}
    )
    queries: ClassVar[frozenset[str]] = frozenset()

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        yield from told_by_runs(self, facts)
