"""The HTTP API as OpenAPI 3.1; `make docs` writes it to `docs/openapi.json`."""

from __future__ import annotations

from model.documents import Document, Json
from model.states import FailureState, Mode, Outcome


def document() -> Document:
    """The whole description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Patchwright",
            "version": "0.1",
            "summary": "Finds what of Azure Update Management is in a known failure state, and repairs it.",
            "description": "Everything is a dry run unless it says otherwise, and while `DRY_RUN` is set nothing can "
            "be applied at all. Every call but `health` needs a function key in `x-functions-key` or `code`.",
        },
        "servers": [{"url": "/api"}],
        "security": [{"functionKey": []}, {"functionKeyInQuery": []}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {
                "functionKey": {"type": "apiKey", "in": "header", "name": "x-functions-key"},
                "functionKeyInQuery": {"type": "apiKey", "in": "query", "name": "code"},
            },
            "schemas": _schemas(),
            "responses": _problems(),
        },
    }


def _paths() -> Document:
    run: Json = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "/sweeps": {
            "post": {
                "operationId": "start_sweep",
                "summary": "Start a sweep",
                "requestBody": _json_body("SweepRequest", required=False),
                "responses": {"202": _accepted(), **_refs(400, 401, 409, 413, 415, 429, 500, 503)},
            }
        },
        "/runs": {
            "get": {
                "operationId": "list_runs",
                "summary": "The ledger, newest first",
                "parameters": [
                    {
                        "name": "limit",
                        "in": "query",
                        "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
                    },
                    {
                        "name": "before",
                        "in": "query",
                        "description": "A run id: only older runs; `next` of the page before",
                        "schema": {"type": "string"},
                    },
                ],
                "responses": {"200": _answer("RunPage", "A page"), **_refs(400, 401, 500, 503)},
            }
        },
        "/runs/{id}": {
            "get": {
                "operationId": "get_run",
                "summary": "The run document",
                "parameters": [run],
                "responses": {"200": _answer("Run", "The run"), **_refs(401, 404, 409, 500, 503)},
            }
        },
        "/runs/{id}/apply": {
            "post": {
                "operationId": "apply_run",
                "summary": "Apply the saved plan of a run",
                "description": "Everything is read again first; where the world has moved, nothing is written and the "
                "outcome names the field.",
                "parameters": [run],
                "requestBody": _json_body("ApplyRequest", required=False),
                "responses": {"202": _accepted(), **_refs(400, 401, 404, 409, 413, 415, 422, 500, 503)},
            }
        },
        "/runs/{id}/undo": {
            "post": {
                "operationId": "undo_run",
                "summary": "Put back what a run changed",
                "description": "A run of its own, which `Location` names: its plan is made from what the ledger "
                "recorded before, and refused where the world has moved on since, naming the field. Asked for twice, "
                "it is done once, and the answer is the same.",
                "parameters": [run],
                "requestBody": _json_body("UndoRequest", required=False),
                "responses": {"202": _accepted(), **_refs(400, 401, 404, 409, 413, 415, 422, 500, 503)},
            }
        },
        "/approvals": {
            "get": {
                "operationId": "list_approvals",
                "summary": "What waits for a person's answer, oldest first",
                "responses": {"200": _answer("Approvals", "The list"), **_refs(401, 500, 503)},
            }
        },
        "/approvals/{id}": {
            "post": {
                "operationId": "answer_approval",
                "summary": "Approve or reject a treatment that waits",
                "description": "Once, and before it expires. What is approved goes on where it waited; just before it "
                "acts, the estate is read again, and a plan that the world has overtaken ends as `stale`.",
                "parameters": [run],
                "requestBody": _json_body("ApprovalRequest", required=True),
                "responses": {
                    "200": _answer("Approval", "Rejected"),
                    "202": {**_answer("Approval", "Approved; the run goes on"), "headers": _location()},
                    **_refs(400, 401, 404, 409, 413, 415, 500, 503),
                },
            }
        },
        "/pause": {
            "get": {
                "operationId": "get_standing",
                "summary": "What is paused, what is in flight, and what is queued",
                "responses": {"200": _answer("Standing", "As it stands"), **_refs(401, 500, 503)},
            },
            "post": {
                "operationId": "pause",
                "summary": "The kill switch: no step starts any more, in the whole app or for one failure state",
                "description": "Holds from the answer on, everywhere: it is asked for before every single write. What "
                "a step has begun already is looked at to its end and listed as `inFlight`; everything else is kept "
                "and listed as `queued`. Sweeps go on observing.",
                "requestBody": _json_body("PauseRequest", required=False),
                "responses": {"200": _answer("Standing", "Paused"), **_refs(400, 401, 413, 415, 422, 500, 503)},
            },
        },
        "/resume": {
            "post": {
                "operationId": "resume",
                "summary": "Lift a pause",
                "description": "What was queued goes on only with `queued`: true. Each treatment is looked at again "
                "first; one whose target somebody has changed meanwhile ends as `stale`.",
                "requestBody": _json_body("ResumeRequest", required=False),
                "responses": {"200": _answer("Standing", "Resumed"), **_refs(400, 401, 409, 413, 415, 422, 500, 503)},
            }
        },
        "/alerts": {
            "post": {
                "operationId": "receive_alert",
                "summary": "The webhook of an Azure Monitor action group, common alert schema",
                "requestBody": _json_body("Alert", required=True),
                "responses": {
                    "200": _answer("AlertAnswer", "Nothing to do: resolved, delivered before, or out of scope"),
                    "202": {**_answer("AlertAnswer", "A sweep was started"), "headers": _location()},
                    **_refs(400, 401, 413, 415, 500, 503),
                },
            }
        },
        "/audit": {
            "get": {
                "operationId": "list_audit",
                "summary": "Every decision with its reason, the newest run first",
                "description": "Who decided what, about what, why, by which plan, and what Azure called the requests. "
                "The ledger's lines are never changed, so that a page stays what it is.",
                "parameters": [
                    {
                        "name": "limit",
                        "in": "query",
                        "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 200},
                    },
                    {
                        "name": "after",
                        "in": "query",
                        "description": "`next` of the page before",
                        "schema": {"type": "string"},
                    },
                    {"name": "run", "in": "query", "description": "Only this run", "schema": {"type": "string"}},
                    {
                        "name": "since",
                        "in": "query",
                        "description": "Only what was decided from then on",
                        "schema": {"type": "string", "format": "date-time"},
                    },
                ],
                "responses": {"200": _answer("AuditPage", "A page"), **_refs(400, 401, 404, 500, 503)},
            }
        },
        "/states": {
            "get": {
                "operationId": "list_states",
                "summary": "The catalogue of failure states",
                "responses": {"200": _answer("Catalogue", "The catalogue"), **_refs(401, 500, 503)},
            }
        },
        "/health": {
            "get": {
                "operationId": "get_health",
                "summary": "Ready or not, and why",
                "security": [],
                "responses": {"200": _answer("Health", "Ready"), "503": _answer("Health", "Not ready")},
            }
        },
        "/portal": {
            "get": {
                "operationId": "get_portal",
                "summary": "The web page: approvals, the kill switch, the runs",
                "description": "Asks this API for all that it shows. It takes the function key from `code` in its own "
                "address, removes it there and keeps it in memory.",
                "responses": {
                    "200": {"description": "The page", "content": {"text/html": {"schema": {"type": "string"}}}},
                    **_refs(401),
                },
            }
        },
        "/openapi.json": {
            "get": {
                "operationId": "get_openapi",
                "summary": "This document",
                "responses": {
                    "200": {
                        "description": "OpenAPI 3.1",
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    },
                    **_refs(401),
                },
            }
        },
    }


def _schemas() -> Document:
    text: Json = {"type": "string"}
    maybe: Json = {"type": ["string", "null"]}
    time: Json = {"type": ["string", "null"], "format": "date-time"}
    count: Json = {"type": "integer", "minimum": 0}
    state: Document = {"type": "string", "enum": [one.value for one in FailureState]}
    head: Document = {
        "id": text,
        "trigger": {"type": "string", "enum": ["timer", "alert", "http", "cli"]},
        "mode": {"type": "string", "enum": ["dry-run", "apply"]},
        "by": maybe,
        "undoes": {"type": ["string", "null"], "description": "The run that this one undoes"},
        "status": {"type": "string", "enum": ["running", "waiting", "completed", "failed"]},
        "error": maybe,
        "started": time,
        "finished": time,
    }
    return {
        "SweepRequest": _object(
            {
                "states": {
                    "type": "array",
                    "maxItems": 1000,
                    "items": state,
                    "description": "Left out: every state. An empty list selects nothing.",
                },
                "machines": {
                    "type": "array",
                    "maxItems": 1000,
                    "items": text,
                    "description": "Resource ids of machines or of what encloses them, or `name:<computer>`. Left out: "
                    "everything in scope. An empty list selects nothing.",
                },
                "dry_run": {"type": "boolean", "default": True},
            }
        ),
        "ApplyRequest": _object(
            {
                "findings": {
                    "type": "array",
                    "maxItems": 1000,
                    "items": text,
                    "description": "Keys of findings. Left out: all that have a plan. An empty list selects nothing.",
                }
            }
        ),
        "UndoRequest": _object(
            {
                "findings": {
                    "type": "array",
                    "maxItems": 1000,
                    "items": text,
                    "description": "Keys of findings. Left out: all about which the run changed something.",
                },
                "dry_run": {"type": "boolean", "default": False, "description": "Only plan and show"},
            }
        ),
        "ApprovalRequest": _object(
            {
                "decision": {"type": "string", "enum": ["approve", "reject"]},
                "reason": {"type": "string", "maxLength": 1000, "description": "Recorded, with who and when"},
                "plan": {
                    "type": "string",
                    "description": "The hash of the plan that is meant, from `plans[].hash`; 409 for any other",
                },
            },
            required=["decision", "reason"],
        ),
        "Approval": _object(
            {
                **dict.fromkeys(("id", "run", "finding", "targetName", "plan", "planHash"), text),
                "asked": time,
                "expires": time,
                "status": {"type": "string", "enum": ["waiting", "approved", "rejected", "expired"]},
                "by": maybe,
                "reason": maybe,
                "answered": time,
            },
            required=["id", "run", "finding", "planHash", "expires", "status"],
        ),
        "Approvals": _object(
            {"approvals": {"type": "array", "items": {"$ref": "#/components/schemas/Approval"}}},
            required=["approvals"],
        ),
        "PauseRequest": _object(
            {
                "state": {**state, "description": "Left out: the whole app"},
                "reason": {"type": "string", "maxLength": 1000, "description": "Recorded, with who and when"},
            }
        ),
        "ResumeRequest": _object(
            {
                "state": {**state, "description": "Left out: the pause of the whole app"},
                "reason": {"type": "string", "maxLength": 1000, "description": "Recorded, with who and when"},
                "queued": {
                    "type": "boolean",
                    "default": False,
                    "description": "Go on with everything that was queued and is not paused any more",
                },
            }
        ),
        "Pause": {
            "type": "object",
            "required": ["state", "since"],
            "properties": {"state": maybe, "since": time, "by": text, "reason": text},
        },
        "Work": _object(
            {
                "run": text,
                "finding": text,
                "targetName": text,
                "owed": {
                    "type": "array",
                    "items": text,
                    "description": "Resource ids of what a half-done treatment has not put back: until it goes on, a "
                    "machine is out of its deployment",
                },
                "stepsDone": count,
                "steps": count,
                "since": time,
            },
            required=["run", "finding", "stepsDone", "steps"],
        ),
        "Standing": _object(
            {
                "pauses": {"type": "array", "items": {"$ref": "#/components/schemas/Pause"}},
                "inFlight": {"type": "array", "items": {"$ref": "#/components/schemas/Work"}},
                "queued": {"type": "array", "items": {"$ref": "#/components/schemas/Work"}},
                "started": {
                    "type": "array",
                    "items": _object({"run": text, "findings": {"type": "array", "items": text}}),
                },
            },
            required=["pauses", "inFlight", "queued"],
        ),
        "Accepted": _object({"id": text}, required=["id"]),
        "Alert": {
            "type": "object",
            "description": "As Azure Monitor sends it. The custom property `patchwright.state` names failure states.",
            "required": ["schemaId", "data"],
            "properties": {
                "schemaId": {"const": "azureMonitorCommonAlertSchema"},
                "data": {
                    "type": "object",
                    "required": ["essentials"],
                    "properties": {
                        "essentials": {
                            "type": "object",
                            "required": ["monitorCondition"],
                            "properties": {
                                "monitorCondition": {"type": "string", "enum": ["Fired", "Resolved"]},
                                "alertTargetIDs": {"type": ["array", "null"], "items": text},
                            },
                        },
                        "alertContext": {"type": ["object", "null"]},
                        "customProperties": {"type": ["object", "null"]},
                    },
                },
            },
        },
        "AlertAnswer": _object({"started": {"type": "boolean"}, "id": text, "reason": text}, required=["started"]),
        "RunSummary": {
            "type": "object",
            "required": ["id", "status"],
            "properties": {
                **head,
                "status": {
                    "type": "string",
                    "enum": ["running", "waiting", "completed", "failed", "unreadable"],
                },
                "counts": _object({"findings": count, "unknown": count, "plans": count, "outcomes": count}),
            },
        },
        "RunPage": _object(
            {
                "runs": {"type": "array", "items": {"$ref": "#/components/schemas/RunSummary"}},
                "next": {"type": ["string", "null"], "description": "`before` of the next page; null on the last"},
            },
            required=["runs", "next"],
        ),
        "Run": {
            "type": "object",
            "required": [
                "id",
                "trigger",
                "mode",
                "status",
                "started",
                "finished",
                "scope",
                "facts",
                "findings",
                "unknown",
                "plans",
                "advice",
                "outcomes",
            ],
            "properties": {
                **head,
                "scope": {"type": "object"},
                "facts": {"type": "object"},
                "findings": {"type": "array", "items": {"$ref": "#/components/schemas/Finding"}},
                "unknown": {"type": "array", "items": {"type": "object"}},
                "plans": {"type": "array", "items": {"type": "object"}},
                "advice": {"type": "array", "items": {"type": "object"}},
                "outcomes": {"type": "array", "items": {"$ref": "#/components/schemas/Outcome"}},
                "waitingFor": {
                    "type": ["string", "null"],
                    "enum": ["approval", "resume", None],
                    "description": "What a person has to say before a run that waits without a process goes on",
                },
                "approvals": {"type": "array", "items": {"$ref": "#/components/schemas/Approval"}},
                "queued": {"type": "array", "items": text, "description": "Findings whose treatment was set aside"},
                "steps": {"type": "array", "items": {"type": "object"}},
            },
        },
        "Finding": {
            "type": "object",
            "required": ["key", "state", "target", "reason"],
            "properties": {
                "key": text,
                "state": state,
                "target": text,
                "targetName": maybe,
                "reason": text,
                "since": time,
                "evidence": {"type": ["object", "null"]},
            },
        },
        "Outcome": {
            "type": "object",
            "required": ["finding", "outcome", "reason", "at"],
            "properties": {
                "finding": text,
                "remediation": text,
                "outcome": {"type": "string", "enum": [one.value for one in Outcome]},
                "reason": text,
                "at": {"type": "string", "format": "date-time"},
            },
        },
        "AuditPage": _object(
            {
                "records": {"type": "array", "items": {"$ref": "#/components/schemas/AuditRecord"}},
                "next": {"type": ["string", "null"], "description": "`after` of the next page; null on the last"},
            },
            required=["records", "next"],
        ),
        "AuditRecord": {
            "type": "object",
            "required": ["at", "run", "decision", "reason", "actor", "planHash", "correlationId", "requestIds"],
            "properties": {
                "at": {"type": "string", "format": "date-time"},
                "run": text,
                "entry": text,
                "decision": {
                    "type": "string",
                    "description": "An outcome; `acted` or `not-acted` of a step; `unknown`; `started`, "
                    "`asked-to-apply`, `asked-to-undo`, `asked-for-approval`, `approved`, `rejected`, `expired`, "
                    "`queued`, `paused`, `resumed`",
                },
                "reason": maybe,
                "actor": _object({"kind": maybe, "name": maybe}, required=["kind", "name"]),
                "finding": maybe,
                "state": maybe,
                "target": maybe,
                "remediation": maybe,
                "planHash": maybe,
                "step": {"type": "object"},
                "correlationId": {"type": "string", "format": "uuid"},
                "requestIds": {"type": "array", "items": text},
            },
        },
        "Catalogue": _object(
            {"states": {"type": "array", "items": {"$ref": "#/components/schemas/State"}}}, required=["states"]
        ),
        "State": {
            "type": "object",
            "required": ["id", "mode", "manual", "remediations"],
            "properties": {
                "id": state,
                "mode": {"type": "string", "enum": [one.value for one in Mode]},
                "paused": {"oneOf": [{"$ref": "#/components/schemas/Pause"}, {"type": "null"}]},
                "manual": text,
                "reads": {"type": "array", "items": text},
                "queries": {"type": "array", "items": text},
                "remediations": {"type": "array", "items": {"type": "object"}},
            },
        },
        "Health": _object(
            {
                "status": {"type": "string", "enum": ["ready", "not ready"]},
                "dryRun": {"type": "boolean"},
                "pauses": {
                    "type": "array",
                    "items": {"$ref": "#/components/schemas/Pause"},
                    "description": "What is paused, and since when; absent where nothing is",
                },
                "problems": {"type": "array", "items": text},
            },
            required=["status"],
        ),
        "OpenAPI": {"type": "object"},
        "Problem": {
            "type": "object",
            "description": "RFC 9457",
            "required": ["type", "title", "status", "detail"],
            "properties": {
                "type": text,
                "title": text,
                "status": {"type": "integer"},
                "detail": text,
                "field": {"type": "string", "description": "The place in the request"},
                "problems": {"type": "array", "items": text},
            },
        },
    }


_PROBLEMS = {
    400: "The request is not valid; `field` says where",
    401: "The function key is missing or wrong (said by Azure Functions, without a body)",
    404: "There is no such run, or no such approval",
    409: "The `DRY_RUN` lock or the kill switch forbids it, it was answered already or too late, it is about another "
    "plan, the run is still under way, or a saved plan was changed since it was recorded",
    413: "The body is larger than 1 MiB",
    415: "The content type is not JSON",
    422: "The request names something that the run does not have; `field` says where",
    429: "Too many sweeps are reading the estate at this moment",
    500: "Something failed that should not; the log says what",
    503: "The app is not set up, or something it needs does not answer",
}


def _problems() -> Document:
    found: Document = {}
    for status, description in _PROBLEMS.items():
        answer: Document = {"description": description}
        if status != 401:
            problem: Json = {"$ref": "#/components/schemas/Problem"}
            answer["content"] = {"application/problem+json": {"schema": problem}}
        if status in {429, 503}:
            answer["headers"] = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}}
        found[f"Problem{status}"] = answer
    return found


def _refs(*statuses: int) -> Document:
    return {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in statuses}


def _json_body(schema: str, *, required: bool) -> Document:
    content: Json = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"required": required, "content": content}


def _answer(schema: str, description: str) -> Document:
    content: Json = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "content": content}


def _accepted() -> Document:
    return {**_answer("Accepted", "Started; the run is at `Location`"), "headers": _location()}


def _location() -> Document:
    return {"Location": {"description": "Where the run is", "schema": {"type": "string"}}}


def _object(properties: Document, *, required: list[Json] | None = None) -> Document:
    base: Document = {"type": "object", "additionalProperties": False, "properties": properties}
    return base if required is None else {**base, "required": required}
