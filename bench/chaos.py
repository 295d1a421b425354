"""A sweep that acts on five hundred injured machines while Azure fails and its workers are killed.

`python -m bench.chaos [MACHINES [SEED]]`. The simulated Azure lives in this process; the run is driven by the command
line in a process of its own, which is killed with SIGKILL again and again and started anew, under another weather each
time. What holds in the end is told by two witnesses, neither of which the worker can talk to: the simulated Azure's log
of requests, and the rows of the ledger's file.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from bench.measure import ROOT, save
from engine.ports import Entry
from engine.run_document import run_document, step_id
from model.deployments import body_to_put
from model.documents import Document, list_at
from model.plans import run_command_name
from model.states import ActionClass, FailureState
from remediations import action_classes
from simulator.fleet import Fleet
from simulator.fleets import DEFAULT_NOW
from simulator.options import Options
from simulator.serve import Simulator, running
from simulator.stories import agents, identities, starts, subscriptions, windows
from simulator.stories.book import Book

MACHINES: Final = 620
"""More than the five hundred that are meant: what is left of two clones is none, and is not treated."""
LAUNCHES: Final = 24
"""How often a worker is started at most, before the weather clears and one is let finish."""
STORM: Final = 6 * 60
"""Seconds after which the weather clears anyway."""
WIDE: Final = {
    "PATCHWRIGHT_MAX_MACHINES": "5000",
    "PATCHWRIGHT_MAX_PERCENT": "100",
    "PATCHWRIGHT_STORM_PERCENT": "100",
    "PATCHWRIGHT_ERROR_BUDGET": "1000",
    "PATCHWRIGHT_ATTEMPTS": "10",
    "PATCHWRIGHT_COOL_DOWN": "PT0S",
    "PATCHWRIGHT_OPT_IN": ",".join(sorted(id_ for id_, one in action_classes().items() if one is ActionClass.OPT)),
}
"""Limits that let a sweep touch every machine of an estate in which every machine is broken."""
STATES: Final = (
    FailureState.CLONED_MACHINE,
    FailureState.SOURCE_ID_CHANGED,
    FailureState.MAINTENANCE_WINDOW_EXCEEDED,
    FailureState.VM_STOPPED,
    FailureState.AUTOMATION_RP_NOT_REGISTERED,
    FailureState.CLOCK_SKEW,
)
"""Their fixes run scripts, save deployments and a saved search, start machines and register providers."""
_CAP: Final = 5
"""Of machines in a run, where nothing is set; a deployment counts as all that it names, a subscription as none."""
ENDS: Final = frozenset({"remediated", "ineffective", "failed", "held", "refused", "declined", "stale"})
_READS: Final = ("/query", "/$batch", "/providers/microsoft.resourcegraph/resources")

_STEPS: Final = r"/runCommands|/virtualMachines/|/savedSearches/|/softwareUpdateConfigurations/[^/?]+\?|/register\?"
"""What the steps of treatments ask for."""

type Weather = Sequence[Document]


def everywhere(kind: str, rate: float, **more: Any) -> Document:
    return {"kind": kind, "rate": rate, **more}


def weathers() -> Mapping[str, Weather]:
    """What goes wrong, by name: up to 30 % of what a step asks, and 8 % of what a sweep reads.

    More of the latter changes nothing but the time it takes: what cannot be read is unknown, and nobody acts on it.
    """
    scripts = [everywhere("script-fails", 0.1), everywhere("script-hangs", 0.05)]
    lost = {"after": True}

    def of_steps(kind: str, rate: float, **more: Any) -> list[Document]:
        return [everywhere(kind, rate, path=_STEPS, **more), everywhere(kind, 0.08, **more)]

    return {
        "throttled": [*of_steps("throttled", 0.3, retryAfter=0), *scripts],
        "errors": [*of_steps("error", 0.15, status=500), *of_steps("error", 0.15, status=503, **lost), *scripts],
        "resets": [*of_steps("reset", 0.15), *of_steps("reset", 0.15, **lost), *scripts],
        "time-outs": [*of_steps("timeout", 0.3, seconds=0.02, **lost), *scripts],
        "hangs": [*of_steps("hang", 0.3, seconds=0.02, **lost), *scripts],
        "scripts": [everywhere("script-fails", 0.3), everywhere("script-hangs", 0.3)],
        "everything": [
            *of_steps("throttled", 0.1, retryAfter=0),
            *of_steps("error", 0.1, **lost),
            *of_steps("reset", 0.1, **lost),
            *of_steps("timeout", 0.1, seconds=0.02),
            everywhere("script-fails", 0.3),
            everywhere("script-hangs", 0.3),
        ],
        "partial results": [
            everywhere("partial", 0.3),
            everywhere("query-fails", 0.3),
            everywhere("truncated", 0.3),
            *scripts,
        ],
    }


def estate(machines: int, injured: int, seed: int) -> Fleet:
    """An estate of which as many machines are injured, in ways that are repaired."""
    book = Book(machines, seed, DEFAULT_NOW)
    book.swaps = True
    subscriptions.unregistered_providers(book)
    starts.stopped_and_tagged(book)
    stories = (
        identities.clones,
        identities.source_id_changed_once,
        identities.source_id_changed_once,
        windows.window_exceeded,
        agents.clock_ahead,
    )
    while True:
        for story in stories:
            if book.injured >= injured:
                return book.fleet(STATES)
            story(book)


@dataclass(slots=True, kw_only=True)
class Chaos:
    """One run, its workers, and everything that was seen of it from outside."""

    azure: Simulator
    folder: Path
    limits: Mapping[str, str]
    dice: random.Random
    seen: dict[tuple[str, str], str] = field(default_factory=dict)
    """Lines of the ledger as they stood after any of the kills."""
    launches: int = 0
    kills: int = 0
    weathers: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)

    @property
    def file(self) -> Path:
        return self.folder / "ledger.sqlite"

    def endure(self, most: int) -> None:
        """A sweep that acts, killed and taken up again, until everything has ended or it was killed often enough."""
        names, began = list(weathers()), time.monotonic()
        while self.launches < most and time.monotonic() - began < STORM and not self.settled():
            first = not self.run()
            name = names[self.launches % len(names)]
            # A sweep that can read nothing acts on nothing: the storm breaks once the plan is made.
            if not first:
                self._changes(weathers()[name])
                self.weathers[name] += 1
            self._launch(kill=True)
            if self.dice.random() < 0.5:
                self.azure.advance(timedelta(minutes=self.dice.choice((1, 6, 70))))
        self._changes(())
        for _ in range(4):
            self.azure.advance(timedelta(hours=2))
            before = len(self.azure.server.app.requests)
            self._launch(kill=False)
            if self.settled() or not any(map(_writes, self.azure.server.app.requests[before:])):
                return

    def _changes(self, weather: Weather) -> None:
        for fault in self.azure.server.estate.faults.describe():
            self.struck[str(fault["kind"])] += int(str(fault["struck"]))
        self.azure.clear_faults()
        self.azure.order(*({**fault, "seed": self.dice.randrange(1 << 30)} for fault in weather))

    def _launch(self, *, kill: bool) -> None:
        run = self.run()
        command = ["apply", run] if run else ["sweep", "--apply", *(w for s in STATES for w in ("--state", s.value))]
        env = {
            **os.environ,
            **self.azure.settings,
            "DRY_RUN": "false",
            "PATCHWRIGHT_MODES": '{"*": "act"}',
            "PATCHWRIGHT_LEDGER": f"sqlite:{self.file}",
            **self.limits,
        }
        self.launches += 1
        began = time.monotonic()
        with (self.folder / f"worker-{self.launches}.log").open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "bench.chaos", "worker", *command, "--json"],
                cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=log,
            )  # fmt: skip
        try:
            if kill:
                self._strike(worker)
            worker.wait()
        finally:
            worker.kill()
            worker.wait()
        sys.stderr.write(
            f"{self.launches}: {command[0]} ended {worker.returncode} after {time.monotonic() - began:.0f} s,"
            f" {len(self.azure.server.app.requests)} requests, {self._ended()}\n"
        )
        self._remember()

    def _strike(self, worker: subprocess.Popen[bytes]) -> None:
        """Kill a worker some while after it has changed something, at whatever it is just then."""
        requests = self.azure.server.app.requests
        start = len(requests)
        writes = self.dice.choice((1, 5, 20, 60, 120))
        while worker.poll() is None:
            # One that only reads, because what it would verify cannot be read, is killed as well.
            if sum(map(_writes, requests[start:])) >= writes or len(requests) - start > 1500 + 20 * writes:
                time.sleep(self.dice.random() * 0.2)
                worker.send_signal(signal.SIGKILL)
                self.kills += worker.wait() == -signal.SIGKILL
                return
            time.sleep(0.02)

    # Witnesses

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        if not self.file.exists():
            return []
        connection = sqlite3.connect(self.file, timeout=30)
        try:
            return connection.execute(query, values).fetchall()
        except sqlite3.OperationalError:
            # Killed before the tables were made.
            return []
        finally:
            connection.close()

    def run(self) -> str:
        """The run whose plans were saved; empty while there is none."""
        found = self.rows("SELECT run FROM entries WHERE kind = 'surveyed' ORDER BY seq LIMIT 1")
        return str(found[0][0]) if found else ""

    def entries(self) -> tuple[Entry, ...]:
        from adapters.ledgers.sqlite import SqliteLedger

        ledger = SqliteLedger(self.file)
        try:
            return ledger.entries(self.run())
        finally:
            ledger.close()

    def _remember(self) -> None:
        now = {(run, id_): body for run, id_, body in self.rows("SELECT run, id, body FROM entries")}
        for key, body in self.seen.items():
            assert now.get(key) == body, f"lost from the ledger: {key}"
        self.seen = now

    def settled(self) -> bool:
        """Whether every plan that might have been applied has ended, and nothing is left to verify."""
        if not self.run():
            return False
        entries = self.entries()
        ends = _outcomes(entries)
        # The others are tried again by the next worker.
        over = {key for key, outcome in ends.items() if outcome in {"remediated", "ineffective"}}
        return {e.about for e in entries if e.kind == "plan"} <= over and not _unverified(entries)

    def _ended(self) -> dict[str, int]:
        return dict(Counter(_outcomes(self.entries()).values())) if self.run() else {}

    def leases(self) -> int:
        now = self.azure.now.isoformat()
        return len([1 for (until,) in self.rows("SELECT until FROM claims WHERE key LIKE 'lease:%'") if until > now])


def _writes(request: Mapping[str, Any]) -> bool:
    path = str(request["path"]).lower()
    return request["method"] != "GET" and not path.endswith(_READS)


def _carried_out(request: Mapping[str, Any]) -> bool:
    """Whether the service did it, whatever the caller was told."""
    said = request.get("answered", None if "fault" in request else request["status"])
    return said is not None and 200 <= int(said) < 300


def _outcomes(entries: Sequence[Entry]) -> dict[str, str]:
    return {e.about: str(e.body.get("outcome")) for e in entries if e.kind == "outcome"}


def _reasons(entries: Sequence[Entry]) -> list[str]:
    """Why what was not remediated ended as it did, without names and numbers."""
    last = {e.about: e.body for e in entries if e.kind == "outcome"}.values()
    told = (f"{body.get('outcome')}: {body.get('reason')}" for body in last if body.get("outcome") != "remediated")
    return [re.sub(r"/[\w/.-]+|[0-9a-f-]{36}|\d+", "…", each)[:160] for each in told]


def _unverified(entries: Sequence[Entry]) -> set[str]:
    ended = {e.about for e in entries if e.kind == "outcome" and e.body.get("outcome") in {"remediated", "ineffective"}}
    return {e.about for e in entries if e.kind == "applied"} - ended


# What has to hold


def judged(chaos: Chaos) -> Document:
    """The figures, and under `mistakes` everything that should not be."""
    entries = chaos.entries()
    document = run_document(entries)
    assert document is not None
    plans = {str(plan["finding"]): plan for plan in _objects(document, "plans")}
    began = [e for e in entries if e.kind == "step" and e.body.get("event") == "began"]
    writes = [r for r in chaos.azure.requests() if _writes(r)]
    done = [r for r in writes if _carried_out(r)]
    outcomes = _outcomes(entries)
    touched = {about for e in began if (about := str(e.about).partition(":")[2]).count("/") > 2}
    mistakes = [
        *_twice(done),
        *_unaccounted(done, began, plans, chaos.run()),
        *(f"not in an end state: {key} is {outcomes.get(key)}" for key in plans if outcomes.get(key) not in ENDS),
        *(f"applied and never judged: {key}" for key in sorted(_unverified(entries))),
        *([f"{held} leases are held"] if (held := chaos.leases()) else []),
        *([f"the run is {document['status']}"] if document["status"] != "completed" else []),
        *_left_out(chaos, outcomes),
        *([f"{len(touched)} targets were touched"] if not chaos.limits and len(touched) > _CAP else []),
        *(
            f"the ledger's file: {said}"
            for (said,) in chaos.rows("PRAGMA integrity_check")
            if said != "ok"
        ),
    ]  # fmt: skip
    return {
        "machines": len([d for d in chaos.azure.server.estate.fleet.documents if _is_machine(d)]),
        "injured": len({str(each["target"]) for each in _truth(chaos)}),
        "plans": len(plans),
        "treated": len(touched),
        "launches": chaos.launches,
        "killed": chaos.kills,
        "weathers": dict(chaos.weathers),
        "faults": dict(chaos.struck),
        "requests": len(chaos.azure.requests()),
        "writes": {"sent": len(writes), "carried out": len(done)},
        "answers lost": sum("fault" in r for r in done),
        "lines in the ledger": len(chaos.seen),
        "outcomes": dict(Counter(outcomes.values())),
        "reasons": dict(Counter(_reasons(entries)).most_common(20)),
        "leases held": chaos.leases(),
        "mistakes": [*mistakes[:50]],
        "mistakes in all": len(mistakes),
    }


def _truth(chaos: Chaos) -> list[Document]:
    truth = chaos.azure.server.estate.fleet.truth or {}
    return _objects(dict(truth), "found")


def _is_machine(document: Document) -> bool:
    return str(document.get("type", "")).lower() == "microsoft.compute/virtualmachines"


def _objects(document: Document, name: str) -> list[Document]:
    return [each for each in list_at(document, name) if isinstance(each, dict)]


def _content(body: Mapping[str, Any]) -> str:
    """What a saved deployment says, but for its start, which may have to move."""
    said: Any = body_to_put(dict(body))
    said.get("properties", {}).get("scheduleInfo", {}).pop("startTime", None)
    return json.dumps(said, sort_keys=True)


def _twice(done: Sequence[Document]) -> Iterator[str]:
    """Every step is carried out once: no script is sent twice, and nothing is saved as it was saved already."""
    once: Counter[str] = Counter()
    last: dict[str, str] = {}
    for request in done:
        path, method = str(request["path"]).lower(), str(request["method"])
        if method == "POST" or (method == "PUT" and "/runcommands/" in path):
            once[path] += 1
        elif method in {"PUT", "PATCH"}:
            body = json.loads(str(request["body"]))
            said = _content(body) if "softwareupdateconfigurations" in path else json.dumps(body.get("properties"))
            if last.get(path) == said:
                yield f"saved twice: {path}"
            last[path] = said
    yield from (f"sent {count} times: {path}" for path, count in once.items() if count > 1)


def _unaccounted(
    done: Sequence[Document], began: Sequence[Entry], plans: Mapping[str, Document], run: str
) -> Iterator[str]:
    """Every change belongs to a step that the ledger says was begun before."""
    scripts, saved, others = set[str](), set[tuple[str, str]](), set[str]()
    for line in began:
        index, number = int(str(line.body["index"])), int(str(line.body["try"]))
        step = _objects(plans[line.about], "steps")[index]
        match step["kind"]:
            case "run-script":
                scripts.add(run_command_name(step_id(run, line.about, index, number)))
            case "put-deployment":
                after = step["after"]
                assert isinstance(after, dict)
                saved.add((str(step["path"]).lower(), _content(after)))
            case _:
                others.add(str(step["path"]).lower())
    for request in done:
        path = str(request["path"]).lower()
        if "/runcommands/" in path:
            known = path.rsplit("/", 1)[1] in scripts
        elif "softwareupdateconfigurations" in path:
            known = (path, _content(json.loads(str(request["body"])))) in saved
        else:
            known = path in others
        if not known:
            yield f"not in the ledger: {request['method']} {path}"


def _left_out(chaos: Chaos, outcomes: Mapping[str, str]) -> Iterator[str]:
    """No machine is missing from a deployment that named it, unless that was the plan or the ledger says so."""
    resources = chaos.azure.server.estate.resources
    field_ = "properties.updateConfiguration.azureVirtualMachines"
    wanted: dict[str, set[str]] = {}
    for document in chaos.azure.server.estate.fleet.documents:
        if str(document.get("type", "")).lower().endswith("softwareupdateconfigurations"):
            wanted[str(document["id"])] = {str(vm).lower() for vm in list_at(document, field_)}
    for id_, before in wanted.items():
        now = {str(vm).lower() for vm in list_at(resources.get(id_) or {}, field_)}
        for machine in sorted(before - now):
            key = f"{FailureState.SOURCE_ID_CHANGED.value}:{machine}"
            if outcomes.get(key) != "failed":
                yield f"left out of {id_.rsplit('/', 1)[1]}: {machine}, {outcomes.get(key)}"


def scenario(fleet: Fleet, limits: Mapping[str, str], seed: int, launches: int) -> Document:
    """One estate, one run, and what came of it."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, running(fleet, options=Options(retry_after=0)) as azure:
        chaos = Chaos(azure=azure, folder=Path(folder), limits=limits, dice=random.Random(seed))
        chaos.endure(launches)
        result = judged(chaos)
    return {"limits": "wide" if limits else "default", "wall_s": round(time.monotonic() - began, 1), **result}


def worker(argv: Sequence[str]) -> int:
    """The command line. What azure-core would wait for in real time between two tries is left out."""
    import adapters.clients
    import composition

    waits = adapters.clients.Clients.__init__.__kwdefaults__
    assert waits is not None
    waits["back_off"] = 0
    return composition.main(argv)


def main(injured: int, seed: int) -> int:
    """Both scenarios; 1 where anything was found that should not be."""
    results = [
        scenario(estate(injured + injured // 4, injured, seed), WIDE, seed, LAUNCHES),
        # Few enough are injured that it is no storm.
        scenario(estate(injured, injured // 10, seed + 1), {}, seed + 1, 4),
    ]
    save("chaos", {"seed": seed, "scenarios": results})
    return 1 if any(result["mistakes"] for result in results) else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        raise SystemExit(worker(sys.argv[2:]))
    given = [int(argument) for argument in sys.argv[1:]]
    raise SystemExit(main(*(given + [MACHINES, 1][len(given) :])))
