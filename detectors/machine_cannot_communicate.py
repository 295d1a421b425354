"""S9: the agent cannot speak to the service."""

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
class MachineCannotCommunicate:
    """A machine cannot register, because its agent cannot speak to the service.

    Looks like: "The client and server can't communicate, because they do not possess a common algorithm"; "Error
    parsing positive infinity value"; a certificate "not issued by a certificate authority used for Microsoft
    services"; "Access is denied. (Exception form HRESULT: 0x80070005(E_ACCESSDENIED))".
    Evidence: event 4502 of the agent within a day, with one of these texts; which of them tells the likely cause.
    Healthy: no such event within a day.
    Unknown: the workspace does not collect the log `Operations Manager`, or the events could not be read. A machine
    that cannot even deliver its log shows as one without heartbeats.
    Source: troubleshooting article, "Machine is unable to communicate with the service" (S9).
    """

    finds: ClassVar[FailureState] = FailureState.MACHINE_CANNOT_COMMUNICATE
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.MACHINES})
    queries: ClassVar[frozenset[str]] = QUERIES

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def probes(self, facts: Facts) -> frozenset[str]:
        """What stands in the way shows inside."""
        return found_without(self, facts)

    def detect(self, facts: Facts) -> Iterator[Detection]:
        yield from told_by_agents(self, facts)
