"""How the findings of a run ended, as far as they have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from cli.deeds import objects
from cli.shown import moment, shown
from model.documents import Document, at, list_at, text_at
from model.times import parse_duration, parse_time

type Tone = Literal["good", "careful", "bad", "quiet"]

FINAL: Final = frozenset({"remediated", "ineffective", "failed", "stale", "held", "refused", "undone"})
TONES: Final[dict[str, Tone]] = {
    "remediated": "good",
    "undone": "good",
    "waiting": "careful",
    "held": "careful",
    "declined": "careful",
    "observed": "quiet",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A word with its colour, and the sentence that explains it."""

    tone: Tone
    word: str
    text: str


@dataclass(frozen=True, slots=True)
class Records:
    """What a run's document says of each finding, by its key."""

    plans: Mapping[str, Document]
    outcomes: Mapping[str, Document]
    steps: Mapping[str, list[Document]]
    """The lines about its plan's steps, in order."""
    queued: frozenset[str]
    """Findings whose treatment was set aside."""

    @classmethod
    def of(cls, document: Document) -> Records:
        steps: dict[str, list[Document]] = {}
        for step in objects(document, "steps"):
            steps.setdefault(text_at(step, "finding"), []).append(step)
        return cls(
            plans={text_at(plan, "finding"): plan for plan in objects(document, "plans")},
            outcomes={text_at(outcome, "finding"): outcome for outcome in objects(document, "outcomes")},
            steps=steps,
            queued=frozenset(map(str, list_at(document, "queued"))),
        )

    def ending(self, key: str) -> Mark | None:
        """`waiting` where a fix was applied and is to be judged later, None where nobody tried."""
        outcome = self.outcomes.get(key, {})
        if key in self.queued:
            return Mark(tone="careful", word="queued", text=shown(text_at(outcome, "reason")))
        word, ended, applied = text_at(outcome, "outcome"), parse_time(outcome.get("at")), self.applied_at(key)
        if applied and (word not in FINAL or (ended is not None and ended < applied)):
            text = f"applied; the verifying look is due {moment(due_of(self.plans[key], applied))} UTC"
            return Mark(tone="careful", word="waiting", text=text)
        if word in FINAL:
            return Mark(tone=TONES.get(word, "bad"), word=word, text=shown(text_at(outcome, "reason")))
        return None

    def applied_at(self, key: str) -> datetime | None:
        """When the last step of a finding's latest try was done; None where one is missing."""
        plan, mine = self.plans.get(key), self.steps.get(key, [])
        if plan is None:
            return None
        latest = max((number for step in mine if isinstance(number := step.get("try"), int)), default=0)
        done = {
            step.get("index"): when
            for step in mine
            if step.get("event") == "done" and step.get("try", 0) == latest and (when := parse_time(step.get("at")))
        }
        return max(done.values()) if done and len(done) == len(list_at(plan, "steps")) else None


def due_of(plan: Document, applied: datetime) -> datetime:
    """When the verifying look is due."""
    ready = applied + (parse_duration(at(plan, "verify.after")) or timedelta())
    not_before = parse_time(at(plan, "verify.notBefore"))
    return max(ready, not_before) if not_before else ready
