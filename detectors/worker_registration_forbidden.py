"""X8: the service forbids the registration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from detectors.complaints import QUERIES, told_by_agents
from model.facts import Facts, Reading
from model.findings import Detection
from model.states import FailureState


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRegistrationForbidden:
    """A machine cannot register, because the service answers its agent with 403.

    Looks like: "Forbidden: You don't have permission to access / on this server".
    Evidence: event 4502 of the agent within a day, with that text.
    Healthy: no such event within a day.
    Unknown: the workspace does not collect the log `Operations Manager`, or the events could not be read.
    Source: hybrid runbook worker article, 403 during registration (X8).
    """

    finds: ClassVar[FailureState] = FailureState.WORKER_REGISTRATION_FORBIDDEN
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.MACHINES})
    queries: ClassVar[frozenset[str]] = QUERIES

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        yield from told_by_agents(self, facts)
