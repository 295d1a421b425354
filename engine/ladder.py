"""A failure state's ladder: which remediation's turn it is, and whose the case is where none is left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from guardrails import Attempt, Attempts
from guardrails.exclusion_tag import tagged
from model.facts import Facts
from model.findings import Finding
from model.plans import Advice, Declined, Plan
from model.states import ActionClass
from model.times import in_words
from remediations.protocol import Remediation

type Tried = Mapping[str, Sequence[Attempt]]
"""The attempts at one target, by the remediation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """Climbs from the gentlest remediation to the last, and knows whom to tell when every rung was tried."""

    owner: str = ""
    owner_tag: str = "owner"
    attempts: int = 2
    within: timedelta = timedelta(hours=24)

    def passed(
        self, rungs: Sequence[Remediation], answers: Mapping[str, Plan | Declined], tried: Tried, now: datetime
    ) -> list[str]:
        """The rungs that are passed over: tried as often as they may be, or in vain once where another follows.

        Another follows where a later rung has a plan, spent or not, or says what a person has to do.
        """
        belt = Attempts(most=self.attempts, within=self.within)
        passed: list[str] = []
        another_follows = False
        for rung in reversed(rungs):
            attempts = tried.get(rung.id, ())
            spent = belt.exhausted(attempts, now) is not None
            in_vain = any(one.in_vain_until and now < one.in_vain_until for one in attempts)
            if spent or (in_vain and another_follows):
                passed.insert(0, rung.id)
            another_follows |= isinstance(answers[rung.id], Plan) or rung.action_class is ActionClass.ADVISE
        return passed

    def end(
        self, finding: Finding, passed: Sequence[str], tried: Tried, others: Iterable[Declined], facts: Facts
    ) -> Declined:
        """An exception with an owner: what was tried in vain, and what the others would have a person do."""
        owner = self.owner_of(finding.target, facts)
        names = ", ".join(passed)
        all_tried = " and ".join(f"{rung} ({self._times(tried.get(rung, ()), facts.now)})" for rung in passed)
        summary = f"{finding.name} needs {owner}: {finding.state.value} is still there after {names}"
        steps = (
            f"Look at what came of {names} in the runs that tried it (`patchwright runs`).",
            *(step for one in others for step in one.advice.steps),
        )
        return Declined(
            finding=finding,
            remediation=passed[-1],
            reason=f"{all_tried} did not help; {owner} has to look at it",
            advice=Advice(finding=finding, summary=summary, steps=steps),
        )

    def _times(self, attempts: Sequence[Attempt], now: datetime) -> str:
        """How often a rung was tried, as far as that counts."""
        counting = [one for one in attempts if now < one.counts_until(self.within)]
        times = "tried once" if len(counting) == 1 else f"tried {len(counting)} times"
        return times if any(one.in_vain_until for one in counting) else f"{times} within {in_words(self.within)}"

    def owner_of(self, target: str, facts: Facts) -> str:
        """Who the nearest tag names, else who is set; in words, where nobody is."""
        for _, tags in tagged(target, facts):
            named = {name.lower(): value.strip() for name, value in tags.items()}.get(self.owner_tag.lower())
            if named:
                return named
        return self.owner or "its owner (nobody is named: PATCHWRIGHT_OWNER)"
