"""Every failure state with its detector and remediations, as configured; the catalogue is made from docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from detectors import DETECTORS
from detectors.job_limit_reached import JobLimitReached
from detectors.protocol import Detector, kql
from engine.settings import Settings
from guardrails import READS, Guardrail, Policy, guardrails
from guardrails.log_lag import KQL as NEWEST_BEAT
from guardrails.log_lag import QUERY as LOG_LAG
from model.documents import Document
from model.facts import Reading
from model.states import ActionClass, FailureState, Mode
from remediations import ONLY_IN_WINDOW, action_classes, remediations
from remediations.protocol import Remediation

FOR_GUARDRAILS: Final = READS
"""What the guardrails look at, whatever state is treated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What this app can find and do."""

    detectors: tuple[Detector, ...]
    remediations: tuple[Remediation, ...]
    guardrails: tuple[Guardrail, ...]
    modes: Mapping[FailureState, Mode]

    @classmethod
    def of(cls, settings: Settings) -> Catalogue:
        return cls(
            detectors=tuple(
                replace(d, limit=settings.job_limit) if isinstance(d, JobLimitReached) else d for d in DETECTORS
            ),
            remediations=remediations(
                margin=settings.next_run_margin,
                max_window=settings.max_window,
                start_tag=settings.start_tag,
                quota_step_gb=settings.quota_step_gb,
                quota_ceiling_gb=settings.quota_ceiling_gb,
                cloud=settings.cloud,
                wsus_server=settings.wsus_server,
            ),
            guardrails=guardrails(policy_of(settings)),
            modes={state: settings.mode(state) for state in FailureState},
        )

    def detecting(self, states: frozenset[FailureState]) -> tuple[Detector, ...]:
        """The detectors of these states, in order of precedence, without those that are off."""
        return tuple(d for d in self.detectors if d.finds in states and self.modes[d.finds] is not Mode.OFF)

    def fixing(self, state: FailureState) -> tuple[Remediation, ...]:
        """The remediations of a state, the gentlest first."""
        return tuple(r for r in self.remediations if r.fixes is state)

    def readings(self, detectors: tuple[Detector, ...]) -> frozenset[Reading]:
        """Everything that the detectors, their remediations and the guardrails read."""
        if not detectors:
            return frozenset()
        wanted = set(FOR_GUARDRAILS)
        for detector in detectors:
            wanted |= detector.reads
            for remediation in self.fixing(detector.finds):
                wanted |= remediation.reads
        return frozenset(wanted)

    @staticmethod
    def queries(detectors: tuple[Detector, ...]) -> dict[str, str]:
        """Name and text of every query of the detectors; where there are any, of the guardrails too."""
        found = {name: kql(name) for detector in detectors for name in sorted(detector.queries)}
        return found | {LOG_LAG: NEWEST_BEAT} if found else {}

    def from_logs(self, state: FailureState) -> bool:
        """Whether a finding of this state stands on what Log Analytics answered."""
        return any(detector.queries for detector in self.detectors if detector.finds is state)

    def entries(self) -> list[Document]:
        """Every failure state as it is shown to people, with the repairs that are there for it."""
        return [
            {
                "id": detector.finds.value,
                "mode": self.modes[detector.finds].value,
                "manual": inspect.getdoc(detector) or "",
                "reads": [*sorted(reading.value for reading in detector.reads)],
                "queries": [*sorted(detector.queries)],
                "remediations": [
                    {
                        "id": remediation.id,
                        "class": remediation.action_class.value,
                        "impact": remediation.impact.value,
                        "permissions": [*sorted(remediation.permissions)],
                        "manual": inspect.getdoc(remediation) or "",
                    }
                    for remediation in self.fixing(detector.finds)
                ],
            }
            for detector in self.detectors
        ]


def policy_of(settings: Settings) -> Policy:
    """What the guardrails hold to, as it is set."""
    return Policy(
        exclude_tag=settings.exclude_tag,
        max_impact=settings.max_impact,
        optional=frozenset(id_ for id_, one in action_classes().items() if one is ActionClass.OPT),
        opted_in=settings.opt_in,
        in_window=ONLY_IN_WINDOW,
        max_machines=settings.max_machines,
        max_percent=settings.max_percent,
        error_budget=settings.error_budget,
        cool_down=settings.cool_down,
        attempts=settings.attempts,
        attempts_within=settings.attempts_within,
        storm_percent=settings.storm_percent,
        storm_cool_down=settings.storm_cool_down,
        change_windows=settings.change_windows,
        freezes=settings.freezes,
        facts_max_age=settings.facts_max_age,
        log_max_lag=settings.log_max_lag,
    )
