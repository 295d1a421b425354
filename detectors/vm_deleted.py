"""S6, cause a: a deployment names a VM that was deleted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from detectors.failed_starts import QUERIES, READS, FailedStarts, found
from model.facts import Facts, Reading
from model.findings import Detection
from model.states import FailureState


@dataclass(frozen=True, slots=True, kw_only=True)
class VmDeleted:
    """A deployment goes on naming a VM that does not exist any more, and its every run fails for it.

    Looks like: machine runs end `FailedToStart`; the deployment's runs end `Failed` though all other machines are well.
    Evidence: the VM failed to start in the newest run of a deployment that names it; a GET answers 404, Resource Graph
    does not have it, and no VM in scope has its vmId. `since` is when the service last looked for it in vain, or when
    its agent beat last, whichever is later: with our own 404 that makes two looks.
    Healthy: the deployment does not name it any more, or will not run again; the VM was moved (`vm-moved`).
    Unknown: Azure refused the GET or did not answer (403, 429 and 5xx are not 404); Resource Graph and Resource Manager
    disagree; its subscription is not in scope; its vmId is not known and another VM bears its name.
    Source: troubleshooting article, "Scheduled update fails for a machine" (S6).
    """

    finds: ClassVar[FailureState] = FailureState.VM_DELETED
    reads: ClassVar[frozenset[Reading]] = READS
    queries: ClassVar[frozenset[str]] = QUERIES

    def suspects(self, facts: Facts) -> frozenset[str]:
        return FailedStarts(facts=facts).suspects()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        return found(self, facts)
