"""What was done in a run, in order of time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from cli.deeds import deed_of, objects
from cli.endings import FINAL, TONES, Records, Tone, due_of
from cli.shown import moment, shown
from model.documents import Document, text_at
from model.times import parse_time


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryLine:
    """One thing that happened to one target."""

    at: datetime | None
    state: str
    name: str
    tone: Tone
    text: str


def story(document: Document) -> tuple[StoryLine, ...]:
    """Empty for a run in which nobody tried anything."""
    findings = {text_at(finding, "key"): finding for finding in objects(document, "findings")}
    records = Records.of(document)
    told = [line for step in objects(document, "steps") for line in _told(step, records, findings)]
    for outcome in objects(document, "outcomes"):
        key, word = text_at(outcome, "finding"), text_at(outcome, "outcome")
        if word in FINAL and (key in records.steps or document.get("mode") != "dry-run"):
            text = f"{word}: {shown(text_at(outcome, 'reason'))}"
            told.append(_line(outcome, findings.get(key), TONES.get(word, "bad"), text))
    # Stable: what happened at one time stays in the order in which it was recorded.
    return tuple(line for _, line in sorted(enumerate(told), key=lambda pair: (str(pair[1].at), pair[0])))


def _told(step: Document, records: Records, findings: Mapping[str, Document]) -> Iterator[StoryLine]:
    key, index, event = text_at(step, "finding"), step.get("index"), text_at(step, "event")
    plan, finding = records.plans.get(key, {}), findings.get(key)
    steps = objects(plan, "steps")
    if not isinstance(index, int) or not 0 <= index < len(steps):
        return
    deed, reason = deed_of(steps[index]), shown(text_at(step, "reason"))
    if event == "failed":
        yield _line(step, finding, "bad", f"{deed.title}: failed: {reason}")
    elif event.startswith("try-"):
        yield _line(step, finding, "careful", f"{deed.title}: not yet: {reason}")
    elif event == "done":
        yield _line(step, finding, "quiet", deed.done)
        applied = records.applied_at(key)
        if index == len(steps) - 1 and applied and applied == parse_time(step.get("at")):
            due = due_of(plan, applied)
            when = f"at {due:%H:%M}" if due.date() == applied.date() else f"on {moment(due)}"
            yield _line(step, finding, "careful", f"applied; looks again {when}")


def _line(entry: Document, finding: Document | None, tone: Tone, text: str) -> StoryLine:
    who = finding or {}
    return StoryLine(
        at=parse_time(entry.get("at")),
        state=shown(text_at(who, "state")),
        name=shown(text_at(who, "targetName")),
        tone=tone,
        text=text,
    )
