"""The run document of the contract, folded from a run's entries in the ledger."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Final

from engine.approvals import approvals_in
from engine.pausing import under_way
from engine.ports import Entry
from engine.wire import document_hash, from_json
from model.deployments import body_to_put
from model.documents import ABSENT, Change, Document, Json, differences
from model.plans import (
    Allow,
    AwaitIdentity,
    Hold,
    Plan,
    PutDeployment,
    PutSavedSearch,
    Refuse,
    RegisterProvider,
    RunScript,
    SetDailyQuota,
    StartMachine,
    Step,
    Treatment,
    Verdict,
    run_command_name,
)
from model.times import format_duration, format_time, in_words
from remediations.undo_scripts import CHANGE_NOTHING, NOTHING_TO_PUT_BACK

_QUOTED: Final = re.compile(r'"[^"]*"')


def step_id(run: str, finding: str, index: int, number: int = 0) -> str:
    """The same for the same step of the same try, however often it is delivered; `number` counts tries that failed."""
    return hashlib.sha256(f"{run}\n{finding}\n{index}\n{number}".encode()).hexdigest()[:24]


def run_document(entries: Sequence[Entry]) -> Document | None:
    """The document, or None for a run of which the ledger does not even know that it was asked for."""
    by_kind: dict[str, list[Entry]] = {}
    for entry in entries:
        by_kind.setdefault(entry.kind, []).append(entry)
    if "run" not in by_kind:
        return None
    header = by_kind["run"][0]
    status = by_kind.get("status", [])
    run = header.run
    last = status[-1].body if status else {"status": "running"}
    # A later attempt at a finding overtakes what an earlier one said of it.
    outcomes: dict[str, Json] = {
        entry.about: {**entry.body, "at": format_time(entry.at)} for entry in by_kind.get("outcome", [])
    }
    facts = by_kind["facts"][0].body if "facts" in by_kind else {}
    requests = [entry.body for entry in by_kind.get("requests", [])]
    return {
        "id": run,
        "trigger": header.body.get("trigger"),
        "mode": "apply" if "apply" in by_kind or header.body.get("dryRun") is False else "dry-run",
        "by": header.body.get("by"),
        "undoes": header.body.get("undoes"),
        "status": last.get("status"),
        "waitingFor": last.get("for") if last.get("status") == "waiting" else None,
        "error": last.get("error"),
        "started": format_time(header.at),
        "finished": format_time(status[-1].at) if last.get("status") in {"completed", "failed"} else None,
        "scope": header.body.get("scope"),
        "facts": {
            "machines": facts.get("machines", 0),
            "requests": {
                kind: sum(value for body in requests if isinstance(value := body.get(kind), int))
                for kind in ("read", "probe", "write")
            },
            "partial": facts.get("partial", []),
        },
        "findings": [_with_key(entry) for entry in by_kind.get("finding", [])],
        "unknown": [entry.body for entry in by_kind.get("unknown", [])],
        "plans": [
            {**_plan(run, from_json(Treatment, entry.body)), "hash": document_hash(entry.body.get("plan"))}
            for entry in by_kind.get("plan", [])
        ],
        "advice": [entry.body for entry in by_kind.get("advice", [])],
        "outcomes": list(outcomes.values()),
        "approvals": [approval.document for approval in approvals_in(run, tuple(entries))],
        "queued": [key for key, entry in under_way(entries).items() if entry.kind == "set-aside"],
        "steps": [{**entry.body, "at": format_time(entry.at)} for entry in by_kind.get("step", [])],
    }


def _with_key(entry: Entry) -> Document:
    body = entry.body
    return {
        "key": f"{body.get('state')}:{body.get('target')}",
        "state": body.get("state"),
        "target": body.get("target"),
        "targetName": body.get("name"),
        "reason": body.get("reason"),
        "since": body.get("since"),
        "evidence": body.get("evidence"),
    }


def _plan(run: str, treatment: Treatment) -> Document:
    plan = treatment.plan
    return {
        "id": treatment.id,
        "finding": plan.finding.key,
        "remediation": plan.remediation,
        "impact": plan.impact.value,
        "reason": plan.reason,
        "risk": plan.risk,
        "verify": {
            "after": format_duration(plan.settle.after),
            "notBefore": format_time(plan.settle.not_before) if plan.settle.not_before else None,
            "why": plan.settle.why,
        },
        "verdict": verdict_document(treatment.verdict),
        "steps": [_step(run, plan, index, step) for index, step in enumerate(plan.steps)],
    }


def verdict_document(verdict: Verdict) -> Document:
    """A verdict as the contract has it."""
    match verdict:
        case Allow():
            return {"kind": "allow", "guardrail": None, "reason": None, "until": None, "also": []}
        case Hold():
            kind, until = "hold", format_time(verdict.until) if verdict.until else None
        case Refuse():
            kind, until = "refuse", None
    return {
        "kind": kind,
        "guardrail": verdict.guardrail,
        "reason": verdict.reason,
        "until": until,
        "also": list(verdict.also),
    }


def _step(run: str, plan: Plan, index: int, step: Step) -> Document:
    id_ = step_id(run, plan.finding.key, index)
    common: Document = {"id": id_, "before": None, "after": None, "diff": [], "script": None, "parameters": None}
    match step:
        case PutDeployment() | PutSavedSearch():
            return common | {
                "kind": "put-deployment" if isinstance(step, PutDeployment) else "put-saved-search",
                "method": "PUT",
                "path": step.deployment if isinstance(step, PutDeployment) else step.saved_search,
                "before": step.before,
                "after": step.after,
                "diff": _diff(step),
                "undo": "PUT the body from before" + _start_note(step),
            }
        case RunScript():
            back = f"run {step.undo_script} on the machine" if step.undo_script else None
            if step.script in CHANGE_NOTHING:
                back = "changes nothing"
            return common | {
                "kind": "run-script",
                "method": "PUT",
                "path": f"{step.machine}/runCommands/{run_command_name(id_)}",
                "script": step.script,
                "parameters": dict(step.parameters),
                "undo": back or NOTHING_TO_PUT_BACK.get(step.script, "cannot be undone"),
            }
        case AwaitIdentity():
            return common | {
                "kind": "await-identity",
                "method": "POST",
                "path": f"/v1/workspaces/{step.workspace_guid}/query",
                "parameters": {
                    "machine": step.machine,
                    "notSourceComputerId": step.not_source_computer_id,
                    "timeOut": in_words(step.time_out),
                },
                "undo": "changes nothing",
            }
        case RegisterProvider():
            change: Document = {"field": "registrationState", "before": step.state_before, "after": "Registered"}
            return common | {
                "kind": "register-provider",
                "method": "POST",
                "path": f"/subscriptions/{step.subscription}/providers/{step.namespace}/register",
                "before": {"registrationState": step.state_before},
                "after": {"registrationState": "Registered"},
                "diff": [change],
                "undo": "cannot be undone: unregistering fails while resources exist",
            }
        case StartMachine():
            power: Document = {"field": "power", "before": step.power_before, "after": "running"}
            return common | {
                "kind": "start-machine",
                "method": "POST",
                "path": f"{step.machine}/start",
                "before": {"power": step.power_before},
                "after": {"power": "running"},
                "diff": [power],
                "undo": f"by hand: the machine was {step.power_before}; somebody may be using it by then",
            }
        case SetDailyQuota():
            cap: Document = {"field": "dailyQuotaGb", "before": step.gb_before, "after": step.gb_after}
            return common | {
                "kind": "set-daily-quota",
                "method": "PATCH",
                "path": step.workspace,
                "before": {"properties": {"workspaceCapping": {"dailyQuotaGb": step.gb_before}}},
                "after": {"properties": {"workspaceCapping": {"dailyQuotaGb": step.gb_after}}},
                "diff": [cap],
                "undo": f"set the daily cap to {step.gb_before:g} GB again; what was taken in meanwhile is paid for",
            }


def _diff(step: PutDeployment | PutSavedSearch) -> list[Json]:
    """Field by field, without what the service itself writes."""
    before: Document = body_to_put(step.before) if isinstance(step, PutDeployment) else step.before
    changes = [part for change in differences(before, step.after) for part in _literals(change)]
    return [{"field": change.field, "before": change.before, "after": change.after} for change in changes]


def _literals(change: Change) -> list[Change]:
    """A query that differs in its quoted texts only, as those texts: one of a thousand ids is one line."""
    if not isinstance(change.before, str) or not isinstance(change.after, str):
        return [change]
    before, after = (_QUOTED.findall(text) for text in (change.before, change.after))
    kept = {*before} & {*after}
    gone, new = [text for text in before if text not in kept], [text for text in after if text not in kept]
    if len(before) < 2 or not gone + new or len(gone + new) > len(before):
        return [change]
    return [
        *(Change(field=f"{change.field} {text}", before=text, after=ABSENT) for text in gone),
        *(Change(field=f"{change.field} {text}", before=ABSENT, after=text) for text in new),
    ]


def _start_note(step: Step) -> str:
    return ", its start at the next run" if isinstance(step, PutDeployment) else ""
