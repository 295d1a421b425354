"""A run as it is told to people: the run document in the order of a reader, for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from cli.shown import Piece, Value, length, moment, moment_of, pieces, plural, short_id, short_path, shown, value_of
from model.documents import ABSENT, Document, Json, at, list_at, text_at
from model.resource_ids import InvalidResourceId, ResourceId
from model.times import parse_time

type Tone = Literal["good", "careful", "bad", "quiet"]

_LONG_TEXT: Final = 60
"""From here on two texts are told apart word by word."""
_FINAL: Final = frozenset({"remediated", "ineffective", "failed", "stale", "held", "refused", "undone"})
_TONES: Final[dict[str, Tone]] = {
    "remediated": "good",
    "undone": "good",
    "waiting": "careful",
    "held": "careful",
    "declined": "careful",
    "observed": "quiet",
}


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
class Mark:
    """A word with its colour, and the sentence that explains it."""

    tone: Tone
    word: str
    text: str


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
class StoryLine:
    """One thing that happened to one target."""

    at: datetime | None
    state: str
    name: str
    tone: Tone
    text: str


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


def objects(document: Document, path: str) -> list[Document]:
    """The objects in a list, without what is none."""
    return [item for item in list_at(document, path) if isinstance(item, dict)]


def run_view(document: Document, elapsed: float | None = None) -> RunView:
    """The whole run. `elapsed` is how long reading took, in seconds, where the caller knows."""
    plans = {text_at(plan, "finding"): plan for plan in objects(document, "plans")}
    advice = {text_at(item, "finding"): item for item in objects(document, "advice")}
    groups: dict[str, list[FindingView]] = {}
    for finding in objects(document, "findings"):
        key = text_at(finding, "key")
        ended = ending(document, plans.get(key), key)
        view = _finding(finding, plans.get(key), advice.get(key), ended)
        groups.setdefault(text_at(finding, "state"), []).append(view)
    for found in groups.values():
        # What Patchwright can do first, what it leaves to people after it.
        found.sort(key=lambda finding: finding.plan is None)
    views = tuple(GroupView(state=shown(state), findings=tuple(found)) for state, found in groups.items())
    unknown = tuple(_unknown(item) for item in objects(document, "unknown"))
    missing = {item.missing for item in unknown}
    summary, tone = _summary([f for group in views for f in group.findings], len(unknown))
    return RunView(
        id=shown(text_at(document, "id")),
        title="dry run" if document.get("mode") == "dry-run" else "apply",
        status=_status(document),
        read=_read(document, elapsed),
        # What made something unknown is told there.
        partial=tuple(what for gap in list_at(document, "facts.partial") if (what := shown(gap)) not in missing),
        groups=views,
        unknown=unknown,
        story=story(document),
        summary=summary,
        tone=tone,
    )


# Findings


def _finding(finding: Document, plan: Document | None, advice: Document | None, ended: Mark | None) -> FindingView:
    verdict = text_at(plan or {}, "verdict.kind")
    fate = {"allow": "planned", "hold": "held", "refuse": "refused"}.get(verdict, "advised" if advice else "observed")
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


def ending(document: Document, plan: Document | None, key: str) -> Mark | None:
    """How a finding ended: `waiting` where its fix was applied and is to be judged later, None where nobody tried."""
    outcome = next((o for o in objects(document, "outcomes") if text_at(o, "finding") == key), None)
    word = text_at(outcome or {}, "outcome")
    applied = _applied(document, plan, key) if plan else None
    if applied and plan and (word not in _FINAL or (parse_time((outcome or {}).get("at")) or applied) < applied):
        due = due_of(plan, applied)
        return Mark(tone="careful", word="waiting", text=f"applied; the verifying look is due {moment(due)} UTC")
    if word in _FINAL and outcome:
        return Mark(tone=_TONES.get(word, "bad"), word=word, text=shown(text_at(outcome, "reason")))
    return None


def _applied(document: Document, plan: Document, key: str) -> datetime | None:
    """When the last step of a finding's latest try was done; None where one is missing."""
    mine = [step for step in objects(document, "steps") if text_at(step, "finding") == key]
    tries = [number for step in mine if isinstance(number := step.get("try"), int)]
    latest = max(tries, default=0)
    done = {
        step.get("index"): parse_time(step.get("at"))
        for step in mine
        if step.get("event") == "done" and step.get("try", 0) == latest
    }
    times = [when for when in done.values() if when]
    return max(times) if times and len(done) == len(list_at(plan, "steps")) else None


def due_of(plan: Document, applied: datetime) -> datetime:
    """When the verifying look is due."""
    after = at(plan, "verify.after")
    ready = applied + timedelta(seconds=after if isinstance(after, int | float) else 0)
    not_before = parse_time(at(plan, "verify.notBefore"))
    return max(ready, not_before) if not_before else ready


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


@dataclass(frozen=True, slots=True)
class _Deed:
    """What a step does, in words: before it is done, and after."""

    sign: Literal["~", ">", "+", "…"]
    title: str
    done: str


def _deed(step: Document) -> _Deed:
    path = text_at(step, "path")
    match text_at(step, "kind"):
        case "put-deployment":
            what = f"the deployment {_name(path)}{_machines_in(step)}"
            return _Deed("~", f"Save {what}", f"saved {what}")
        case "put-saved-search":
            what = f"the saved search {_name(path)}"
            return _Deed("~", f"Edit {what}", f"edited {what}")
        case "run-script":
            what = f"{shown(text_at(step, 'script'))} on {_name(path.rpartition('/runCommands/')[0])}"
            return _Deed(">", f"Run {what}", f"ran {what}")
        case "await-identity":
            machine, limit = _name(text_at(step, "parameters.machine")), shown(text_at(step, "parameters.timeOut"))
            return _Deed(
                "…",
                f"Wait up to {limit} until {machine} beats as another agent",
                "the agent beats under a new identity",
            )
        case "register-provider":
            what = shown(path.removesuffix("/register").rpartition("/")[2])
            return _Deed("+", f"Register {what}", f"registered {what}")
        case kind:
            return _Deed("~", shown(kind), shown(kind))


def _step(number: int, step: Document) -> StepView:
    deed, path = _deed(step), text_at(step, "path")
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


def _machines_in(step: Document) -> str:
    """` without app-02`, ` with app-02`: what a deployment's edit is about, where it is about one machine."""
    changes = [c for c in objects(step, "diff") if ".azureVirtualMachines[" in text_at(c, "field")]
    if len(changes) != 1:
        return ""
    (change,) = changes
    if change.get("after") == ABSENT:
        return f" without {_name(str(change.get('before')))}"
    return f" with {_name(str(change.get('after')))}" if change.get("before") == ABSENT else ""


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


def _name(resource_id: str) -> str:
    try:
        return shown(ResourceId.parse(resource_id).name)
    except InvalidResourceId:
        return shown(resource_id.rstrip("/").rpartition("/")[2])


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
            return Mark(tone="careful", word="waiting", text="a verifying look is still due")
        case "running":
            return Mark(tone="careful", word="running", text="")
        case _:
            return Mark(tone="bad", word="failed", text=shown(error))


_ORDER: Final = (
    *("remediated", "waiting", "undone", "planned", "held", "refused", "stale", "ineffective", "failed"),
    *("advised", "observed"),
)


def _summary(findings: list[FindingView], unknown: int) -> tuple[str, Tone]:
    fates = [finding.fate for finding in findings]
    counts = {fate: fates.count(fate) for fate in _ORDER if fate in fates}
    told = [
        plural(count, "needs you", "need you") if fate == "advised" else f"{count:,} {fate}"
        for fate, count in counts.items()
    ]
    if not findings:
        return ("Nothing was found", "good") if not unknown else (f"0 findings, {unknown} unknown", "careful")
    left = set(counts) - {"remediated", "undone"}
    tone: Tone = "bad" if left & {"failed", "ineffective", "stale"} else "careful" if left or unknown else "good"
    return f"{plural(len(findings), 'finding')}: {', '.join(told)}, {unknown:,} unknown", tone


# The story


def story(document: Document) -> tuple[StoryLine, ...]:
    """What was done, in order of time; empty for a run in which nobody tried."""
    findings = {text_at(finding, "key"): finding for finding in objects(document, "findings")}
    plans = {text_at(plan, "finding"): plan for plan in objects(document, "plans")}
    tried = {text_at(step, "finding") for step in objects(document, "steps")}
    told: list[StoryLine] = []
    for step in objects(document, "steps"):
        key = text_at(step, "finding")
        if (line := _told(step, plans.get(key), findings.get(key))) is not None:
            told.append(line)
    for key, plan in plans.items():
        if key in tried and (applied := _applied(document, plan, key)):
            due = due_of(plan, applied)
            today = due.date() == applied.date()
            text = f"applied; looks again {f'at {due:%H:%M}' if today else f'on {moment(due)}'}"
            told.append(StoryLine(at=applied, **_who(findings.get(key)), tone="careful", text=text))
    for outcome in objects(document, "outcomes"):
        key, word = text_at(outcome, "finding"), text_at(outcome, "outcome")
        if word not in _FINAL or (key not in tried and document.get("mode") == "dry-run"):
            continue
        told.append(
            StoryLine(
                at=parse_time(outcome.get("at")),
                **_who(findings.get(key)),
                tone=_TONES.get(word, "bad"),
                text=f"{word}: {shown(text_at(outcome, 'reason'))}",
            )
        )
    # Stable: what happened at one time stays in the order in which it was recorded.
    return tuple(line for _, line in sorted(enumerate(told), key=lambda pair: (str(pair[1].at), pair[0])))


def _who(finding: Document | None) -> dict[str, str]:
    return {"state": shown(text_at(finding or {}, "state")), "name": shown(text_at(finding or {}, "targetName"))}


def _told(step: Document, plan: Document | None, finding: Document | None) -> StoryLine | None:
    index, event = step.get("index"), text_at(step, "event")
    steps = objects(plan or {}, "steps")
    if not isinstance(index, int) or not 0 <= index < len(steps):
        return None
    deed = _deed(steps[index])
    tone: Tone
    match event:
        case "done":
            tone, text = "quiet", deed.done
        case "failed":
            tone, text = "bad", f"{deed.title}: failed: {shown(text_at(step, 'reason'))}"
        case _ if event.startswith("try-"):
            tone, text = "careful", f"{deed.title}: not yet: {shown(text_at(step, 'reason'))}"
        case _:
            return None
    return StoryLine(at=parse_time(step.get("at")), **_who(finding), tone=tone, text=text)
