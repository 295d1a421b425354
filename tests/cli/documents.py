"""Run documents by hand, with any text in the places where text from outside stands."""

from __future__ import annotations

from model.documents import Document, Json

VM = (
    "/subscriptions/d9f78f40-9ae0-5f2c-86db-354fa0ded010/resourceGroups/rg-app/providers"
    "/Microsoft.Compute/virtualMachines/app-02"
)
KEY = f"source-id-changed:{VM.lower()}"


def a_run(text: str = "app-02", *, verdict: Document | None = None, outcome: str = "", **changes: Json) -> Document:
    """One finding with a plan of two steps; `text` is whatever somebody called things."""
    steps: list[Json] = [
        a_step("put-deployment", text, diff=[a_change(text, "before", text), a_change("x" * 70, "x" * 61, text)]),
        a_step("run-script", text, parameters={text: text}),
    ]
    plan: Document = {
        "id": "3f9a2c1d5b7e",
        "finding": KEY,
        "remediation": "readd-machine",
        "impact": "reversible",
        "reason": text,
        "risk": text,
        "verify": {"after": "PT5M", "notBefore": "2026-03-12T02:30:00Z", "why": text},
        "verdict": verdict or {"kind": "allow", "guardrail": None, "reason": None, "until": None},
        "steps": steps,
    }
    end: Document = {"finding": KEY, "outcome": outcome, "reason": text, "at": "2026-03-12T03:00:00Z"}
    document: Document = {
        "id": "20260310T060000-5ba1c0de",
        "trigger": "cli",
        "mode": "apply" if outcome else "dry-run",
        "by": text,
        "status": "completed",
        "error": None,
        "started": "2026-03-10T06:00:00Z",
        "finished": "2026-03-10T06:00:10Z",
        "scope": {},
        "facts": {"machines": 24, "requests": {"read": 25, "probe": 0, "write": 0}, "partial": [text]},
        "findings": [
            {
                "key": KEY,
                "state": "source-id-changed",
                "target": VM.lower(),
                "targetName": text,
                "reason": text,
                "since": "2026-03-06T05:20:00Z",
                "evidence": {},
            }
        ],
        "unknown": [{"state": "cloned-machine", "target": "", "missing": text}],
        "plans": [plan],
        "advice": [],
        "outcomes": [end] if outcome else [],
        "steps": [],
    }
    return document | changes


def a_step(kind: str, text: str, **changes: Json) -> Document:
    path = f"{VM.partition('/providers')[0]}/providers/Microsoft.Automation/automationAccounts/aa/things/{text}"
    common: Document = {"id": "s", "before": None, "after": None, "diff": [], "script": text, "parameters": None}
    return common | {"kind": kind, "method": "PUT", "path": path, "undo": text} | changes


def a_change(field: str, before: str, after: str) -> Document:
    return {"field": field, "before": before, "after": after}


def done(index: int, at: str, number: int = 0) -> Document:
    return {"finding": KEY, "index": index, "try": number, "event": "done", "at": at}
