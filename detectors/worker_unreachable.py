"""S6, cause d: the VM runs, and its hybrid worker does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from detectors.failed_starts import QUERIES, READS, FailedStarts, found
from model.facts import Facts, Reading
from model.findings import Detection
from model.states import FailureState


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerUnreachable:
    """A VM runs, and its hybrid worker has not been seen for more than an hour: no job reaches it.

    Looks like: machine runs end `FailedToStart`; "Failed to start, as hybrid worker was not available when scheduled
    job started, the hybrid worker was last active at ...".
    Evidence: `lastSeenDateTime` of the worker whose identity the newest run called; where it has no worker, its last
    heartbeat, within 30 days.
    Healthy: the worker was seen within the hour (61 minutes are too long, 60 are not); the VM does not run.
    Unknown: the group's workers could not be read; nobody says whom the run called.
    Source: troubleshooting article, "Scheduled update fails for a machine" (S6); hybrid runbook worker article (X8).
    """

    finds: ClassVar[FailureState] = FailureState.WORKER_UNREACHABLE
    reads: ClassVar[frozenset[Reading]] = READS
    queries: ClassVar[frozenset[str]] = QUERIES

    def suspects(self, facts: Facts) -> frozenset[str]:
        return FailedStarts(facts=facts).suspects()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        return found(self, facts)
