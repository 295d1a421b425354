"""S6, cause b: a deployment names a VM under the resource id that it had before it was moved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from detectors.failed_starts import QUERIES, READS, FailedStarts, found
from model.facts import Facts, Reading
from model.findings import Detection
from model.states import FailureState


@dataclass(frozen=True, slots=True, kw_only=True)
class VmMoved:
    """A VM was moved to another resource group or subscription, and a deployment names it where it was.

    Looks like: machine runs end `FailedToStart` for a VM that is well.
    Evidence: the id answers 404 and is not in Resource Graph; its last heartbeats had the vmId, in either byte order,
    of a VM that has another resource id now.
    Healthy: the deployment does not name the old id any more, or will not run again.
    Unknown: never of itself; what cannot be told of an absent VM is told under `vm-deleted`.
    Source: troubleshooting article, "Scheduled update fails for a machine" (S6).
    """

    finds: ClassVar[FailureState] = FailureState.VM_MOVED
    reads: ClassVar[frozenset[Reading]] = READS
    queries: ClassVar[frozenset[str]] = QUERIES

    def suspects(self, facts: Facts) -> frozenset[str]:
        return FailedStarts(facts=facts).suspects()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        return found(self, facts)
