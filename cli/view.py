"""A run as it is told to people: the run document in the order of a reader, for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from cli.deeds import deed_of, objects
from cli.endings import Mark, Records, Tone
from cli.shown import Piece, Value, length, moment, moment_of, pieces, plural, short_id, short_path, shown, value_of
from cli.story import StoryLine, story
from engine.approvals import APPROVAL
from model.documents import Document, Json, at, list_at, text_at
from model.times import parse_time

_LONG_TEXT: Final = 60
"""From here on two texts are told apart word by word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffLine:
    """One field: `+` comes, `-` goes, `~` changes."""

    sign: Literal["+", "-", "~"]
    field: str
    before: Value | None
    after: Value | None
    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    number: int
    sign: Literal["~", ">", "+", "…"]
    """`~` saves something, `>` runs a script, `+` registers, `…` only waits."""
    title: str
    method: str
    path: str
    short_path: str
    parameters: tuple[tuple[str, str], ...]
    diff: tuple[DiffLine, ...]
    undo: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    id: str
    remediation: str
    impact: str
    reason: str
    risk: str
    undo: str
    verify: str
    steps: tuple[StepView, ...]
    verdict: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceView:
    summary: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingView:
    key: str
    name: str
    id: str
    reason: str
    since: str
    plan: PlanView | None
    advice: AdviceView | None
    ended: Mark | None
    """How it ended, once somebody tried."""
    fate: str
    """The word under which the summary counts it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    state: str
    findings: tuple[FindingView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownView:
    state: str
    target: str
    missing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    id: str
    title: str
    status: Mark
    read: str
    partial: tuple[str, ...]
    groups: tuple[GroupView, ...]
    unknown: tuple[UnknownView, ...]
    story: tuple[StoryLine, ...]
    summary: str
    tone: Tone


def run_view(document: Document, elapsed: float | None = None) -> RunView:
    """The whole run. `elapsed` is how long reading took, in seconds, where the caller knows."""
    records = Records.of(document)
    advice = {text_at(item, "finding"): item for item in objects(document, "advice")}
    groups: dict[str, list[FindingView]] = {}
    for finding in objects(document, "findings"):
        key = text_at(finding, "key")
        view = _finding(finding, records.plans.get(key), advice.get(key), records.ending(key))
        groups.setdefault(text_at(finding, "state"), []).append(view)
    for found in groups.values():
        # What Patchwright can do first, what it leaves to people after it.
        found.sort(key=lambda finding: finding.plan is None)
    views = tuple(GroupView(state=shown(state), findings=tuple(found)) for state, found in groups.items())
    unknown = tuple(_unknown(item) for item in objects(document, "unknown"))
    missing = {item.missing for item in unknown}
    status = _status(document)
    summary, tone = _summary(status, [f for group in views for f in group.findings], len(unknown))
    return RunView(
        id=shown(text_at(document, "id")),
        title=_title(document),
        status=status,
        read=_read(document, elapsed),
        # What made something unknown is told there.
        partial=tuple(what for gap in list_at(document, "facts.partial") if (what := shown(gap)) not in missing),
        groups=views,
        unknown=unknown,
        story=story(document),
        summary=summary,
        tone=tone,
    )


def _title(document: Document) -> str:
    mode = "dry run" if document.get("mode") == "dry-run" else "apply"
    undone = shown(text_at(document, "undoes"))
    return f"undo of {undone} · {mode}" if undone else mode


# Findings


def _finding(finding: Document, plan: Document | None, advice: Document | None, ended: Mark | None) -> FindingView:
    verdict = text_at(plan or {}, "verdict.kind")
    fate = {"allow": "planned", "hold": "held", "refuse": "refused"}.get(verdict, "advised" if advice else "observed")
    if text_at(plan or {}, "verdict.guardrail") == APPROVAL:
        fate = "to approve"
    since = parse_time(finding.get("since"))
    return FindingView(
        key=text_at(finding, "key"),
        name=shown(text_at(finding, "targetName")),
        id=shown(text_at(finding, "target")),
        reason=shown(text_at(finding, "reason")),
        since=moment(since) if since else "",
        plan=_plan(plan) if plan else None,
        advice=_advice(finding, advice) if advice else None,
        ended=ended,
        fate=ended.word if ended else fate,
    )


def _advice(finding: Document, advice: Document) -> AdviceView:
    summary, name = text_at(advice, "summary"), text_at(finding, "targetName")
    return AdviceView(
        # The name stands above it already.
        summary=shown(summary.removeprefix(f"{name}: ")),
        steps=tuple(shown(step) for step in list_at(advice, "steps")),
    )


# Plans


def _plan(plan: Document) -> PlanView:
    steps = tuple(_step(number, step) for number, step in enumerate(objects(plan, "steps"), 1))
    after, not_before = at(plan, "verify.after"), at(plan, "verify.notBefore")
    when = f"from {moment_of(not_before)} UTC on" if not_before else f"{length(after)} after the last step"
    return PlanView(
        id=shown(text_at(plan, "id")),
        remediation=shown(text_at(plan, "remediation")),
        impact=shown(text_at(plan, "impact")),
        reason=shown(text_at(plan, "reason")),
        risk=shown(text_at(plan, "risk")),
        undo=_undo(steps),
        verify=f"{when}: {shown(text_at(plan, 'verify.why'))}",
        steps=steps,
        verdict=_verdict(plan),
    )


def _verdict(plan: Document) -> Mark:
    guardrail, reason = shown(text_at(plan, "verdict.guardrail")), shown(text_at(plan, "verdict.reason"))
    match text_at(plan, "verdict.kind"):
        case "allow":
            return Mark(tone="good", word="allowed", text="no guardrail objects")
        case "hold":
            until = at(plan, "verdict.until")
            later = f" until {moment_of(until)} UTC" if until else ""
            if guardrail == APPROVAL:
                return Mark(tone="careful", word=f"waits for your answer{later}", text=reason)
            return Mark(tone="careful", word=f"held{later} by {guardrail}", text=reason)
        case _:
            return Mark(tone="bad", word=f"refused by {guardrail}", text=reason)


def _undo(steps: Iterable[StepView]) -> str:
    """Each way back once, with the steps that it is for."""
    ways: dict[str, list[int]] = {}
    for step in steps:
        # A step that only waits has nothing to undo.
        if step.sign != "…":
            ways.setdefault(step.undo, []).append(step.number)
    if len(ways) == 1:
        return next(iter(ways))
    told = []
    for way, numbers in ways.items():
        listed = ", ".join(map(str, numbers))
        told.append(f"step{'s' if len(numbers) > 1 else ''} {listed}: {way}")
    return "; ".join(told)


def _step(number: int, step: Document) -> StepView:
    deed, path = deed_of(step), text_at(step, "path")
    # The machine stands in the title of a wait, and how long.
    hidden = {"machine", "timeOut"} if deed.sign == "…" else set[str]()
    return StepView(
        number=number,
        sign=deed.sign,
        title=deed.title,
        method=shown(text_at(step, "method")),
        path=shown(path),
        short_path=short_path(path),
        parameters=tuple((shown(k), shown(v)) for k, v in _mapping(step.get("parameters")).items() if k not in hidden),
        diff=tuple(_diff_line(change) for change in objects(step, "diff")),
        undo=shown(text_at(step, "undo")),
    )


def _diff_line(change: Document) -> DiffLine:
    before, after = change.get("before"), change.get("after")
    left, right = value_of(before), value_of(after)
    field = shown(text_at(change, "field").removeprefix("properties."))
    # One of many texts in a query bears its own text as its place.
    for value in (left, right):
        if value is not None:
            field = field.removesuffix(f" {value.text}")
    if isinstance(before, str) and isinstance(after, str) and min(len(before), len(after)) > _LONG_TEXT:
        return DiffLine(sign="~", field=field, before=left, after=right, pieces=pieces(before, after))
    return DiffLine(sign="+" if left is None else "-" if right is None else "~", field=field, before=left, after=right)


def _mapping(value: Json) -> Document:
    return value if isinstance(value, dict) else {}


# Around them


def _unknown(item: Document) -> UnknownView:
    target = text_at(item, "target")
    return UnknownView(
        state=shown(text_at(item, "state")),
        target=short_id(target) if target else "",
        missing=shown(text_at(item, "missing")),
    )


def _read(document: Document, elapsed: float | None) -> str:
    counts = {kind: at(document, f"facts.requests.{kind}") for kind in ("read", "probe", "write")}
    number = {kind: value if isinstance(value, int) else 0 for kind, value in counts.items()}
    machines = at(document, "facts.machines")
    told = [
        plural(machines if isinstance(machines, int) else 0, "machine"),
        plural(number["read"] + number["probe"], "read") + (f" in {elapsed:.1f} s" if elapsed is not None else ""),
        plural(number["write"], "write") if number["write"] else "nothing was changed",
    ]
    return " · ".join(told)


def _status(document: Document) -> Mark:
    error = text_at(document, "error")
    match text_at(document, "status"):
        case "completed":
            return Mark(tone="good", word="completed", text="")
        case "waiting":
            what = {"approval": "a person's answer is due", "resume": "what was set aside is queued"}
            text = what.get(text_at(document, "waitingFor"), "a verifying look is still due")
            return Mark(tone="careful", word="waiting", text=text)
        case "running":
            return Mark(tone="careful", word="running", text="")
        case _:
            return Mark(tone="bad", word="failed", text=shown(error))


_ORDER: Final = (
    *(
        "remediated",
        "waiting",
        "to approve",
        "queued",
        "undone",
        "planned",
        "held",
        "refused",
        "stale",
        "ineffective",
        "failed",
    ),
    *("advised", "observed"),
)


def _summary(status: Mark, findings: list[FindingView], unknown: int) -> tuple[str, Tone]:
    fates = [finding.fate for finding in findings]
    counts = {fate: fates.count(fate) for fate in _ORDER if fate in fates}
    told = [
        plural(count, "needs you", "need you") if fate == "advised" else f"{count:,} {fate}"
        for fate, count in counts.items()
    ]
    if not findings and not unknown and status.word != "completed":
        # Nobody has looked to the end.
        return (f"{status.word}: {status.text}" if status.text else status.word, status.tone)
    if not findings:
        return ("Nothing was found", "good") if not unknown else (f"0 findings, {unknown} unknown", "careful")
    left = set(counts) - {"remediated", "undone"}
    tone: Tone = "bad" if left & {"failed", "ineffective", "stale"} else "careful" if left or unknown else "good"
    return f"{plural(len(findings), 'finding')}: {', '.join(told)}, {unknown:,} unknown", tone
