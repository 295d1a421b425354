"""The audit trail: who decided what, about what, why, and what Azure called the request; one record a decision.

It is folded from the ledger, to which lines are only ever added, and reads no record of a plan or a finding as such: a
line that another version wrote, or that somebody edited, does not hide the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from engine.correlation import correlation_id
from engine.ports import Entry, Ledger
from model.documents import Document, Json, list_at, text_at
from model.times import format_time

KINDS: Final = frozenset(
    {"run", "apply", "undo", "plan", "unknown", "step", "outcome", "approval", "answer", "set-aside", "pause", "resume"}
)
"""The lines of the ledger that a record is made from, or that say what a record has to tell."""
_NOBODY: Final = {"http": "a function key", "timer": "SWEEP_SCHEDULE"}
"""Who acts, by trigger, where no person is named."""
MOST_RECORDS: Final = 1_000
"""Of one page."""
_RUNS: Final = 100
_ANSWERS: Final = {"approve": "approved", "reject": "rejected", "expire": "expired"}
STEPS: Final = {
    "PutDeployment": ("put-deployment", "deployment"),
    "PutSavedSearch": ("put-saved-search", "saved_search"),
    "RunScript": ("run-script", "machine"),
    "AwaitIdentity": ("await-identity", "machine"),
    "RegisterProvider": ("register-provider", "subscription"),
    "StartMachine": ("start-machine", "machine"),
    "SetDailyQuota": ("set-daily-quota", "workspace"),
}
"""By the kind that the ledger calls a step: the name in the run document, and the field that says what it changes."""


def audit(entries: Iterable[Entry]) -> Iterator[Document]:
    """The records of one run, in the order in which they were written. `entries` are its lines of `KINDS`, in order."""
    actor: Document = {"kind": None, "name": None}
    plans: dict[str, Document] = {}
    for entry in entries:
        body = entry.body
        match entry.kind:
            case "run":
                trigger = text_at(body, "trigger")
                actor = {"kind": trigger, "name": body.get("by") or _NOBODY.get(trigger)}
                mode = "a dry run" if body.get("dryRun") is not False else "may act"
                undoes = text_at(body, "undoes")
                yield _record(entry, "started", actor, reason=f"undoes run {undoes}; {mode}" if undoes else mode)
            case "apply":
                # From here on it is this person who acts.
                actor = _person(body)
                yield _record(entry, "asked-to-apply", actor)
            case "plan":
                plans[entry.about] = body
            case "step" if body.get("event") in {"done", "failed"}:
                yield _step(entry, actor, plans.get(entry.about, {}))
            case "step":
                pass
            case _:
                yield _decision(entry, actor, plans.get(entry.about, {}))


def _decision(entry: Entry, actor: Document, plan: Document) -> Document:
    body = entry.body
    match entry.kind:
        case "undo":
            return _record(entry, "asked-to-undo", _person(body), reason=f"by run {text_at(body, 'run')}")
        case "answer":
            said = _ANSWERS.get(text_at(body, "decision"), "rejected")
            return _record(entry, said, _person(body), plan, reason=body.get("reason"))
        case "pause" | "resume":
            state = body.get("state") or None
            return _record(entry, f"{entry.kind}d", _person(body), reason=body.get("reason"), state=state)
        case "approval":
            return _record(entry, "asked-for-approval", actor, plan)
        case "set-aside":
            return _record(entry, "queued", actor, plan, reason=body.get("reason"))
        case "unknown":
            missing, target = f"missing: {text_at(body, 'missing')}", body.get("target") or None
            return _record(entry, "unknown", actor, reason=missing, state=body.get("state"), target=target)
        case _:
            reason, remediation = body.get("reason"), body.get("remediation")
            return _record(entry, text_at(body, "outcome"), actor, plan, reason=reason, remediation=remediation)


def _person(body: Document) -> Document:
    return {"kind": "person", "name": body.get("by") or None}


def _step(entry: Entry, actor: Document, plan: Document) -> Document:
    body, index = entry.body, entry.body.get("index")
    steps = list_at(plan, "plan.steps")
    step = steps[index] if isinstance(index, int) and 0 <= index < len(steps) else {}
    step = step if isinstance(step, dict) else {}
    kind, target = STEPS.get(text_at(step, "kind"), (text_at(step, "kind"), ""))
    return _record(
        entry,
        "acted" if body.get("event") == "done" else "not-acted",
        actor,
        plan,
        reason=body.get("reason"),
        step={"index": index, "try": body.get("try"), "kind": kind, "changes": step.get(target)},
        requestIds=list_at(body, "requestIds"),
    )


def _record(entry: Entry, decision: str, actor: Document, plan: Document | None = None, **more: Json) -> Document:
    state, _, target = entry.about.partition(":")
    known: Document = {
        "at": format_time(entry.at),
        "run": entry.run,
        "entry": entry.id,
        "decision": decision,
        "reason": None,
        "actor": actor,
        "finding": entry.about or None,
        "state": state or None,
        "target": target or None,
        "remediation": text_at(plan or {}, "plan.remediation") or None,
        "planHash": text_at(plan or {}, "planHash") or None,
        "correlationId": correlation_id(entry.run),
        "requestIds": [],
    }
    return {**known, **more}


def records(ledger: Ledger, runs: Iterable[str], since: datetime | None = None) -> Iterator[Document]:
    """The records of runs, one run after the other, from a time on where one is given."""
    for run in runs:
        entries = ledger.entries(run, kinds=KINDS)
        late = {entry.id for entry in entries if since is None or entry.at >= since}
        # Earlier lines say who acts and by which plan.
        yield from (record for record in audit(entries) if record["entry"] in late)


def every_run(ledger: Ledger, *, control: str) -> Iterator[str]:
    """The app's own record, then every run of the ledger, newest first."""
    yield control
    before: str | None = None
    while page := ledger.runs(_RUNS, before):
        yield from page
        before = page[-1]


def page(
    ledger: Ledger, runs: Iterable[str], *, after: str | None, limit: int, since: datetime | None = None
) -> Mapping[str, Json]:
    """At most `limit` records, and where the next page goes on: `after` is what the page before called `next`.

    Lines are only ever added, so that a place within a run stays where it is.
    """
    start, _, skipped = (after or "").rpartition("/")
    skip = int(skipped) if skipped.isascii() and skipped.isdigit() else 0
    waiting = bool(start)
    found: list[Json] = []
    for run in runs:
        if waiting and run != start:
            continue
        waiting = False
        mine = list(records(ledger, [run], since))
        here = mine[skip : skip + limit - len(found)]
        found += here
        if len(found) == limit and skip + len(here) < len(mine):
            return {"records": found, "next": f"{run}/{skip + len(here)}"}
        skip = 0
        if len(found) == limit:
            return {"records": found, "next": f"{run}/{len(mine)}"}
    return {"records": found, "next": None}
