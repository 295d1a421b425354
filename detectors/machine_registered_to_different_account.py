"""S8: the machine is still a worker of another Automation account."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from detectors.complaints import QUERIES, told_by_agents
from detectors.inside import found_without
from model.facts import Facts, Reading
from model.findings import Detection
from model.states import FailureState


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRegisteredToDifferentAccount:
    """A machine cannot register, because another Automation account holds a worker for it.

    Looks like: "Unable to Register Machine for Patch Management, Registration Failed with Exception
    System.InvalidOperationException: {"Message":"Machine is already registered to a different account."}".
    Evidence: event 4502 of the agent within a day, with that text.
    Healthy: no such event within a day.
    Unknown: the workspace does not collect the log `Operations Manager`, or the events could not be read.
    Source: troubleshooting article, "Machine is already registered to a different account" (S8).
    """

    finds: ClassVar[FailureState] = FailureState.MACHINE_REGISTERED_TO_DIFFERENT_ACCOUNT
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.MACHINES})
    queries: ClassVar[frozenset[str]] = QUERIES

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def probes(self, facts: Facts) -> frozenset[str]:
        """What stands in the way shows inside."""
        return found_without(self, facts)

    def detect(self, facts: Facts) -> Iterator[Detection]:
        yield from told_by_agents(self, facts)
