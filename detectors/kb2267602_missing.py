"""P5: the definition update of Defender is missing for so long that it is not the daily coming and going."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from detectors.log_machines import Reporters
from detectors.protocol import unreadable
from model.facts import Facts, Reading
from model.findings import Detection, Unknown
from model.states import FailureState


@dataclass(frozen=True, slots=True, kw_only=True)
class Kb2267602Missing:
    """Defender's definitions are days old; KB2267602 itself is new every day, and missing every day for a while.

    Looks like: KB2267602 is listed as missing, day after day.
    Evidence: the age of the signatures inside the machine, where the newest definition update that its assessment knows
    is more than three days old and still needed.
    Healthy: the definition update that is needed is younger, however often one is: a new one comes every day.
    Unknown: the age of the signatures inside a machine that looks neglected is not at hand.
    Source: troubleshooting article, "Windows Defender update always shows as missing" (P5).
    """

    finds: ClassVar[FailureState] = FailureState.KB2267602_MISSING
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.MACHINES})
    queries: ClassVar[frozenset[str]] = frozenset({"defender-definitions"})

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unreadable(self, facts):
            yield gap
            return
        reporters = Reporters(facts)
        for row in facts.rows["defender-definitions"]:
            if reporting := reporters.of(row):
                missing = (
                    "a diagnosis of the machine: the age of Defender's signatures, where KB2267602 of "
                    f"{str(row.get('Published'))[:10]} is still needed"
                )
                yield Unknown(state=self.finds, target=reporting.target, missing=missing)
