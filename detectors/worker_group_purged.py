"""S6, cause e: the machine's own hybrid worker group is gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from detectors.failed_starts import QUERIES, READS, FailedStarts, found
from model.facts import Facts, Reading
from model.findings import Detection
from model.states import FailureState


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerGroupPurged:
    """Azure has purged a machine's hybrid worker group, as it does after 30 days without a ping.

    Looks like: "You have requested to create a runbook job on a hybrid worker group that does not exist."
    Evidence: the VM runs; the account has no system group for the identity that the newest run called, nor one for a
    computer of its name; its agent was silent for 30 days or more, or it beats and is registered nowhere.
    Healthy: a group of its name is there: it registered anew, and `source-id-changed` looks after the deployments.
    Unknown: the groups could not be read.
    Source: troubleshooting article, "Scheduled update fails for a machine" (S6); hybrid runbook worker article (X8).
    """

    finds: ClassVar[FailureState] = FailureState.WORKER_GROUP_PURGED
    reads: ClassVar[frozenset[Reading]] = READS
    queries: ClassVar[frozenset[str]] = QUERIES

    def suspects(self, facts: Facts) -> frozenset[str]:
        return FailedStarts(facts=facts).suspects()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        return found(self, facts)
