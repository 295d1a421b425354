"""S10: the agent cannot make its certificate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from detectors.complaints import QUERIES, told_by_agents
from detectors.inside import found_without, inside
from model.diagnosis import Result
from model.facts import Facts, Reading
from model.findings import Detection, Finding, Unknown
from model.states import FailureState


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfsignedCertFailure:
    """A machine cannot register, because its agent may not make the certificate by which it would be known.

    Looks like: "CertificateCreationException: Failed to create a self-signed certificate. --->
    System.UnauthorizedAccessException: Access is denied."
    Evidence: event 4502 of the agent within a day, with that text. Where the machine was looked into, SYSTEM may not
    modify `MachineKeys` there.
    Healthy: no such event within a day.
    Unknown: the workspace does not collect the log `Operations Manager`, or the events could not be read; SYSTEM has
    its rights inside the machine, so that something else refuses, or did before they were granted.
    Source: troubleshooting article, "Failed to create a self-signed certificate" (S10).
    """

    finds: ClassVar[FailureState] = FailureState.SELFSIGNED_CERT_FAILURE
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.MACHINES})
    queries: ClassVar[frozenset[str]] = QUERIES

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def probes(self, facts: Facts) -> frozenset[str]:
        """Whether SYSTEM has its rights shows inside."""
        return found_without(self, facts)

    def detect(self, facts: Facts) -> Iterator[Detection]:
        for detection in told_by_agents(self, facts):
            target = detection.target if isinstance(detection, Finding) else ""
            if inside(facts, target, "machine-keys-access").result is Result.PASSED:
                missing = "what refuses the certificate: inside the machine SYSTEM may modify the machine keys now"
                yield Unknown(state=self.finds, target=target, missing=missing)
            else:
                yield detection
