"""S10: the agent cannot make its certificate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from detectors.complaints import QUERIES, told_by_agents
from model.facts import Facts, Reading
from model.findings import Detection
from model.states import FailureState


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfsignedCertFailure:
    """A machine cannot register, because its agent may not make the certificate by which it would be known.

    Looks like: "CertificateCreationException: Failed to create a self-signed certificate. --->
    System.UnauthorizedAccessException: Access is denied."
    Evidence: event 4502 of the agent within a day, with that text. The rights of the key folders are looked at on the
    machine itself, by the script that would grant them.
    Healthy: no such event within a day.
    Unknown: the workspace does not collect the log `Operations Manager`, or the events could not be read.
    Source: troubleshooting article, "Failed to create a self-signed certificate" (S10).
    """

    finds: ClassVar[FailureState] = FailureState.SELFSIGNED_CERT_FAILURE
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.MACHINES})
    queries: ClassVar[frozenset[str]] = QUERIES

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        yield from told_by_agents(self, facts)
