"""S0: the agent's hybrid worker component reports an error that no other failure state explains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from detectors.complaints import QUERIES, Complaint, complaints, finding_of, unheard
from detectors.inside import found_without
from model.facts import Facts, Reading
from model.findings import Detection
from model.states import FailureState


@dataclass(frozen=True, slots=True, kw_only=True)
class HybridAgentEvent4502:
    """A machine's agent reports an error of its hybrid worker component that nobody here knows.

    Looks like: event 4502 in the log `Operations Manager`, with
    "Microsoft.EnterpriseManagement.HealthService.AzureAutomation.HybridAgent" in its text.
    Evidence: such an event within a day, whose text is none of `detectors/data/error_texts.json`; its first 500
    characters.
    Healthy: no such event; one whose text is known belongs to the failure state that it tells of.
    Unknown: the workspace does not collect the log, or the events could not be read.
    Source: troubleshooting article, preface (S0).
    """

    finds: ClassVar[FailureState] = FailureState.HYBRID_AGENT_EVENT_4502
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.MACHINES})
    queries: ClassVar[frozenset[str]] = QUERIES

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def probes(self, facts: Facts) -> frozenset[str]:
        """What stands in the way shows inside."""
        return found_without(self, facts)

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unheard(self, facts):
            yield gap
            return
        by_machine: dict[str, list[Complaint]] = {}
        for complaint in complaints(facts):
            if complaint.means is None and complaint.event == 4502:
                by_machine.setdefault(complaint.target, []).append(complaint)
        for target in sorted(by_machine):
            yield finding_of(self, by_machine[target])
