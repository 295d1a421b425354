"""The end of a failure state's ladder: what no remediation helps against is somebody's to look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from guardrails.exclusion_tag import tagged
from model.facts import Facts
from model.findings import Finding
from model.plans import Advice, Declined
from model.times import in_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """Whom to tell when every rung was tried."""

    owner: str = ""
    owner_tag: str = "owner"
    attempts: int = 2
    within: timedelta = timedelta(hours=24)

    def end(self, finding: Finding, tried: Sequence[str], others: Iterable[Declined], facts: Facts) -> Declined:
        """An exception with an owner: what was tried in vain, and what the others would have a person do."""
        owner = self.owner_of(finding.target, facts)
        times = f"{self.attempts} times within {in_words(self.within)}"
        reason = f"{' and '.join(tried)} did not help, tried {times}; {owner} has to look at it"
        summary = (
            f"{finding.name} needs {owner}: {finding.state.value} is still there after {', '.join(tried)}, {times}"
        )
        steps = (
            f"Look at what came of {', '.join(tried)} in the runs that tried it (`patchwright runs`).",
            *(step for one in others for step in one.advice.steps),
        )
        return Declined(
            finding=finding,
            remediation=tried[-1],
            reason=reason,
            advice=Advice(finding=finding, summary=summary, steps=steps),
        )

    def owner_of(self, target: str, facts: Facts) -> str:
        """Who the nearest tag names, else who is set; in words, where nobody is."""
        for _, tags in tagged(target, facts):
            named = {name.lower(): value.strip() for name, value in tags.items()}.get(self.owner_tag.lower())
            if named:
                return named
        return self.owner or "its owner (nobody is named: PATCHWRIGHT_OWNER)"
