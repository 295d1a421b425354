"""Dry run equals apply: what a plan lists is what is sent, request by request, over many generated estates.

`python -m bench.fidelity [FLEETS [FIRST]]`. Each estate is swept as a dry run, and the plan that was saved is applied.
The log of the simulated Azure then has to hold the requests that the run document of the dry run listed, with method,
address and body, step by step; and nothing else but what is documented: a script's run command is removed afterwards.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import zip_longest
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import composition
from bench.measure import save
from engine.inline import TooLongToWait, drive
from engine.process import PROCESSES
from engine.requests import SweepRequest, new_run_id
from engine.run_document import run_document
from engine.settings import Settings
from model.deployments import body_to_put
from model.documents import Document
from model.states import ActionClass
from remediations import action_classes
from simulator.fleet import Fleet
from simulator.fleets import generate
from simulator.options import Options
from simulator.serve import running

FLEETS: Final = 200
AT_ONCE: Final = 2
_READS: Final = ("/query", "/$batch", "/providers/microsoft.resourcegraph/resources")
_SCRIPTS: Final = Path(__file__).parents[1] / "remediations" / "scripts"
_OPT_IN: Final = ",".join(sorted(id_ for id_, one in action_classes().items() if one is ActionClass.OPT))
_WIDE: Final = {
    "DRY_RUN": "false",
    "PATCHWRIGHT_MODES": '{"*": "act"}',
    "PATCHWRIGHT_OPT_IN": _OPT_IN,
    "PATCHWRIGHT_MAX_MACHINES": "1000",
    "PATCHWRIGHT_MAX_PERCENT": "100",
    "PATCHWRIGHT_STORM_PERCENT": "100",
    "PATCHWRIGHT_ERROR_BUDGET": "1000",
}
"""Limits are another promise: here everything that is planned may be applied."""

type Request = tuple[str, str, str]
"""Method, address in lower case, body as JSON with its keys in order; an empty body is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One estate: what was listed, what was sent, and where they differ."""

    seed: int
    machines: int
    plans: int
    applied: int
    otherwise: tuple[str, ...]
    """Why plans were not applied."""
    sent: int
    kinds: Mapping[str, int]
    """Steps that were compared, by kind."""
    differences: tuple[str, ...]
    seconds: float


def compared(seed: int, machines: int | None = None) -> Compared:
    """Make an estate, plan, apply, and compare."""
    began = time.monotonic()
    machines = machines or (110 if seed % 50 == 0 else 6 + seed % 17)
    planned, applied, sent = applied_to(generate(machines, seed))
    ends = {str(each["finding"]): each for each in applied["outcomes"]}
    by_finding = {str(plan["finding"]): plan for plan in planned["plans"]}
    # One first, then waves: the order among the plans is that in which the ledger has them begun.
    plans = [by_finding[key] for key in dict.fromkeys(str(step["finding"]) for step in applied["steps"])]
    others = [plan for plan in planned["plans"] if plan not in plans]
    listed = [request for plan in plans for step in plan["steps"] for request in requests_of(step)]
    kinds = Counter(str(step["kind"]) for plan in plans for step in plan["steps"])
    return Compared(
        seed=seed,
        machines=machines,
        plans=len(planned["plans"]),
        applied=len(plans),
        otherwise=tuple(_reason(ends.get(plan["finding"], {})) for plan in others),
        sent=len(sent),
        kinds=dict(kinds),
        differences=tuple(_differences(listed, sent)),
        seconds=round(time.monotonic() - began, 2),
    )


def applied_to(fleet: Fleet) -> tuple[dict[str, Any], dict[str, Any], list[Request]]:
    """The run document after the dry run and after the apply, and every change that was asked of Azure."""
    with tempfile.TemporaryDirectory() as folder, running(fleet, options=Options(retry_after=0)) as azure:
        ledger = f"sqlite:{Path(folder) / 'ledger.sqlite'}"
        engine = composition.build(Settings.from_env({**azure.settings, **_WIDE, "PATCHWRIGHT_LEDGER": ledger}))
        run = new_run_id(engine.clock.now())
        sweep = SweepRequest(run=run, trigger="cli", dry_run=True)
        drive(PROCESSES["sweep"](sweep.document), engine.activities, engine.clock)
        planned: Any = run_document(engine.ledger.entries(run))
        assert not list(_changes(azure.requests())), "a dry run changes nothing"
        request: Document = {"run": run, "attempt": f"{run}-apply-1", "by": "somebody"}
        # Whether it helped is looked at in days; all changes are made by then.
        with contextlib.suppress(TooLongToWait):
            drive(PROCESSES["apply"](request), engine.activities, engine.clock, timedelta(minutes=20))
        applied: Any = run_document(engine.ledger.entries(run))
        engine.ledger.close()
        return planned, applied, [*_changes(azure.requests())]


def requests_of(step: Mapping[str, Any]) -> Iterator[Request]:
    """What a step of the run document says that it will send."""
    method, path = str(step["method"]), str(step["path"]).lower()
    match step["kind"]:
        case "await-identity":
            # Only reads.
            return
        case "put-deployment":
            yield method, path, _text(body_to_put(step["after"]))
        case "put-saved-search":
            yield method, path, _text({"properties": step["after"]["properties"]})
        case "run-script":
            script = (_SCRIPTS / str(step["script"])).read_text(encoding="utf-8")
            yield method, path, _text({"script": script, "parameters": step["parameters"]})
        case "set-daily-quota":
            yield method, path, _text(step["after"])
        case _:
            yield method, path, ""


def _changes(requests: Iterable[Mapping[str, Any]]) -> Iterator[Request]:
    """What was asked of Azure that could change something, in the same terms."""
    for request in requests:
        method, path = str(request["method"]), str(request["path"]).partition("?")[0].lower()
        if method == "GET" or path.endswith(_READS):
            continue
        body: Any = json.loads(request["body"] or "null")
        if "/runcommands/" in path:
            if method == "DELETE":
                # Removed when what it did is recorded: docs/operating.md.
                continue
            properties = body["properties"]
            given = {each["name"]: each["value"] for each in properties["parameters"]}
            body = {"script": properties["source"]["script"], "parameters": given}
        elif "/savedsearches/" in path:
            # Under the ETag of the last look, which nobody knows beforehand.
            del body["etag"]
        yield method, path, _text(body) if body else ""


def _text(body: object) -> str:
    return json.dumps(body, sort_keys=True)


def _differences(listed: Sequence[Request], sent: Sequence[Request]) -> Iterator[str]:
    """Where the two part, request by request."""
    for number, (ours, theirs) in enumerate(zip_longest(listed, sent)):
        if ours != theirs:
            yield f"request {number}: listed {_short(ours)}, sent {_short(theirs)}"


def _short(request: Request | None) -> str:
    return "none" if request is None else f"{request[0]} {request[1]} {request[2][:200]}"


def _reason(outcome: Mapping[str, Any]) -> str:
    said = f"{outcome.get('outcome')}: {outcome.get('reason')}"
    return re.sub(r"/[\w/.-]+|[0-9a-f]{8}-[0-9a-f-]{27}|\d+", "…", said)[:140]


def main(fleets: int, first: int) -> int:
    """Compare, write the results; 1 where any request was not listed, or any that was listed not sent."""
    began = time.monotonic()
    found: list[Compared] = []
    with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn")) as pool:
        for one in pool.map(compared, range(first, first + fleets)):
            found.append(one)
            sys.stderr.write(f"seed {one.seed}: {one.sent} sent, {len(one.differences)} differ, {one.seconds} s\n")
    kinds: Counter[str] = Counter()
    for one in found:
        kinds.update(one.kinds)
    result: dict[str, object] = {
        "fleets": fleets,
        "seeds": [first, first + fleets - 1],
        "wall_s": round(time.monotonic() - began, 1),
        "plans": sum(one.plans for one in found),
        "applied": sum(one.applied for one in found),
        "otherwise": dict(Counter(reason for one in found for reason in one.otherwise).most_common()),
        "requests": sum(one.sent for one in found),
        "steps": dict(kinds),
        "fleets that differ": sum(bool(one.differences) for one in found),
        "differences": [f"seed {one.seed}: {each}" for one in found for each in one.differences][:50],
    }
    save("fidelity", result)
    return 1 if any(one.differences for one in found) else 0


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    raise SystemExit(main(*(given + [FLEETS, 1][len(given) :])))
