"""S6, cause c: the VM was not up when its deployment ran."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from detectors.failed_starts import QUERIES, READS, FailedStarts, found
from model.facts import Facts, Reading
from model.findings import Detection
from model.states import FailureState


@dataclass(frozen=True, slots=True, kw_only=True)
class VmStopped:
    """A VM is stopped or deallocated, and was so when a deployment called it.

    Looks like: machine runs end `FailedToStart`; it repeats with every run in a night in which the VM is switched off.
    Evidence: the power state, and that neither worker nor agent was seen since the newest run began.
    Healthy: the VM runs; it was seen after the run had begun, so that something else kept it from starting.
    Unknown: no power state; its worker could not be read; the deployment's schedule could not be read.
    Source: troubleshooting article, "Scheduled update fails for a machine" (S6).
    """

    finds: ClassVar[FailureState] = FailureState.VM_STOPPED
    reads: ClassVar[frozenset[Reading]] = READS
    queries: ClassVar[frozenset[str]] = QUERIES

    def suspects(self, facts: Facts) -> frozenset[str]:
        return FailedStarts(facts=facts).suspects()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        return found(self, facts)
