"""X8: the worker's channel for jobs timed out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from detectors.complaints import QUERIES, WORKER_LOG, told_by_agents
from model.facts import Facts, Reading
from model.findings import Detection
from model.states import FailureState


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSignalrTimeout:
    """A machine registers and gets no jobs, because the channel that brings them times out.

    Looks like: event 15011 in the log `Microsoft-SMA/Operational`, a time-out of SignalR, while a machine is set up.
    Evidence: such an event within a day.
    Healthy: no such event within a day.
    Unknown: the workspace does not collect that log, or the events could not be read.
    Source: hybrid runbook worker article, event 15011 (X8).
    """

    finds: ClassVar[FailureState] = FailureState.WORKER_SIGNALR_TIMEOUT
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.MACHINES})
    queries: ClassVar[frozenset[str]] = QUERIES

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        yield from told_by_agents(self, facts, WORKER_LOG)
