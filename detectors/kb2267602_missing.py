"""P5: the definition update of Defender is missing for so long that it is not the daily coming and going."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from detectors.inside import a_diagnosis, inside, worth_a_look
from detectors.log_machines import Reporters
from detectors.protocol import unreadable
from model.diagnosis import OperatingSystem, Result
from model.facts import Facts, Reading
from model.findings import Detection, Finding, Unknown
from model.states import FailureState
from model.times import parse_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Kb2267602Missing:
    """Defender's definitions are days old; KB2267602 itself is new every day, and missing every day for a while.

    Looks like: KB2267602 is listed as missing, day after day.
    Evidence: the age of the signatures inside the machine, where the newest definition update that its assessment knows
    is more than three days old and still needed.
    Healthy: the definition update that is needed is younger, however often one is: a new one comes every day; inside
    the machine the signatures are young, or Defender is switched off.
    Unknown: the age of the signatures inside a machine that looks neglected is not at hand.
    Source: troubleshooting article, "Windows Defender update always shows as missing" (P5).
    """

    finds: ClassVar[FailureState] = FailureState.KB2267602_MISSING
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.MACHINES})
    queries: ClassVar[frozenset[str]] = frozenset({"defender-definitions"})

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def probes(self, facts: Facts) -> frozenset[str]:
        """Machines whose newest known definition update is old and still needed."""
        reporters = Reporters(facts)
        told = [one.target for row in facts.rows.get("defender-definitions", ()) if (one := reporters.of(row))]
        return worth_a_look(facts, told, OperatingSystem.WINDOWS)

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unreadable(self, facts):
            yield gap
            return
        reporters = Reporters(facts)
        for row in facts.rows["defender-definitions"]:
            reporting = reporters.of(row)
            if reporting is None:
                continue
            published = f"KB2267602 of {str(row.get('Published'))[:10]} is still needed"
            told = inside(facts, reporting.target, "defender-signatures")
            if told.result is Result.UNKNOWN:
                missing = a_diagnosis(f"the age of Defender's signatures, where {published}", told)
                yield Unknown(state=self.finds, target=reporting.target, missing=missing)
            elif told.result is Result.FAILED:
                days = told.detail.removesuffix("d")
                yield Finding(
                    state=self.finds,
                    target=reporting.target,
                    name=reporting.name,
                    reason=f"Defender's signatures are {days} days old, and {published}",
                    since=parse_time(row.get("Published")),
                    evidence={"signatureAgeInDays": int(days) if days.isdecimal() else None},
                )
