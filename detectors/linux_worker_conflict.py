"""X8: the state of an earlier worker is in the way on a Linux machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from detectors.machine_run_errors import told_by_runs
from model.facts import Facts, Reading
from model.findings import Detection
from model.states import FailureState


@dataclass(frozen=True, slots=True, kw_only=True)
class LinuxWorkerConflict:
    """A Linux machine cannot register as a worker, because the state of an earlier worker is left on it.

    Looks like: "Unable to register, an existing worker was found" or "Failed to deregister worker.
    [response_status=404]".
    Evidence: one of these errors, in the machine's part of a deployment's newest run.
    Healthy: the newest run of each deployment says nothing of it.
    Unknown: runs, deployments or machines could not be read.
    Source: hybrid runbook worker article, Linux registration (X8).
    """

    finds: ClassVar[FailureState] = FailureState.LINUX_WORKER_CONFLICT
    reads: ClassVar[frozenset[Reading]] = frozenset(
        {Reading.MACHINES, Reading.DEPLOYMENTS, Reading.RUNS, Reading.MACHINE_RUNS}
    )
    queries: ClassVar[frozenset[str]] = frozenset()

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        yield from told_by_runs(self, facts)
