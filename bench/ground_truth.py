"""What a sweep finds of generated estates, against what they really suffer from: precision and recall, state by state.

`python -m bench.ground_truth [MACHINES [SEEDS [FIRST]]]`. Each estate is swept through the real path: the simulated
Azure over HTTP, Azure's SDK clients, every detector. The two share a process, so that an estate costs a second or two.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import composition
from bench.measure import RESULTS, save
from engine.inline import drive
from engine.process import PROCESSES
from engine.requests import SweepRequest, new_run_id
from engine.run_document import run_document
from engine.settings import Settings
from model.states import FailureState
from simulator.fleet import Fleet
from simulator.fleets import generate
from simulator.serve import running

MACHINES: Final = 2000
SEEDS: Final = 50
AT_ONCE: Final = 2

type Key = tuple[str, str]
"""State and target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One estate's truth beside what was said of it."""

    injured: frozenset[Key]
    spared: frozenset[Key]
    explained: frozenset[Key]
    found: frozenset[Key]
    followed: Mapping[Key, str]
    """What came of each finding: `plan` or `advice`."""
    meant: Mapping[Key, str]
    """What should have come of it."""
    unknown: frozenset[Key]
    inside: frozenset[Key]
    """Injuries that only a look inside would have shown, where nobody looked: they have to be unknown."""

    @property
    def missed(self) -> frozenset[Key]:
        return self.injured - self.found

    @property
    def false(self) -> frozenset[Key]:
        return self.found - self.injured

    @property
    def otherwise(self) -> dict[Key, str]:
        """Findings of which something else came than should have."""
        return {key: then for key, then in self.followed.items() if self.meant.get(key, then) != then}

    @property
    def doubted(self) -> frozenset[Key]:
        """Doubts about what is neither a decoy nor explained by anything."""
        explained = {state for state, _ in self.explained}
        said = self.unknown - self.spared - self.inside
        return frozenset(key for key in said if key[0] not in explained)

    @property
    def passed_over(self) -> frozenset[Key]:
        """What only a look inside would tell, and what nobody called unknown."""
        return self.inside - self.unknown


def judged(fleet: Fleet, run: Mapping[str, Any], *, probed: bool) -> Verdict:
    """What a sweep of an estate says, held against the estate's truth."""
    truth: Mapping[str, Any] = fleet.truth or {}
    told = [each for each in truth["found"] if probed or not each.get("inside")]
    return Verdict(
        injured=_keys(told),
        spared=_keys(truth["notFound"]),
        explained=_keys(truth["explained"]),
        found=_keys(run["findings"]),
        followed={
            _key(each["finding"]): then
            for then, listed in (("plan", run["plans"]), ("advice", run["advice"]))
            for each in listed
        },
        meant={(each["state"], each["target"]): each["then"] for each in told},
        unknown=_keys(run["unknown"]),
        inside=_keys(truth["found"]) - _keys(told),
    )


def swept(fleet: Fleet, *, probed: bool) -> dict[str, Any]:
    """The run document of a dry run over all states, with a look into every suspect or into none."""
    with tempfile.TemporaryDirectory() as folder, running(fleet) as azure:
        looking = {"PATCHWRIGHT_PROBE": "suspects", "PATCHWRIGHT_MAX_PROBES": "1000"} if probed else {}
        ledger = {"PATCHWRIGHT_LEDGER": f"sqlite:{Path(folder) / 'ledger.sqlite'}"}
        engine = composition.build(Settings.from_env({**azure.settings, **ledger, **looking}))
        request = SweepRequest(run=new_run_id(engine.clock.now()), trigger="cli", dry_run=True)
        engine.accept(request)
        drive(PROCESSES["sweep"](request.document), engine.activities, engine.clock)
        document = run_document(engine.ledger.entries(request.run))
    assert document is not None
    return document


def _keys(listed: Iterable[Mapping[str, Any]]) -> frozenset[Key]:
    return frozenset((each["state"], each["target"]) for each in listed)


def _key(finding: str) -> Key:
    state, _, target = finding.partition(":")
    return state, target


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An estate's verdict, and what it cost to come by."""

    seed: int
    verdict: Verdict
    seconds: float


def judge_seed(machines: int, seed: int) -> Judged:
    """Make an estate, sweep it, judge the sweep."""
    began = time.monotonic()
    fleet = generate(machines, seed)
    verdict = judged(fleet, swept(fleet, probed=True), probed=True)
    return Judged(seed=seed, verdict=verdict, seconds=round(time.monotonic() - began, 2))


@dataclass(slots=True, kw_only=True)
class Row:
    """One state over all estates; each counts targets."""

    injured: int = 0
    found: int = 0
    missed: int = 0
    false: int = 0
    otherwise: int = 0
    """Found, and answered with advice where a plan was right, or the other way round."""
    decoys: int = 0
    explained: int = 0
    """True, and rightly not found as long as their cause lasts."""
    doubted: int = 0
    """Unknown without a reason in the truth."""
    estates: int = 0
    """In how many estates it was there."""

    @property
    def precision(self) -> float | None:
        said = self.found + self.false
        return self.found / said if said else None

    @property
    def recall(self) -> float | None:
        return self.found / self.injured if self.injured else None


def tallied(judgements: Iterable[Judged]) -> dict[str, Row]:
    """By state, every state among them."""
    rows = {state.value: Row() for state in sorted(FailureState)}
    for one in judgements:
        verdict = one.verdict
        for name, keys in (
            ("injured", verdict.injured),
            ("found", verdict.found & verdict.injured),
            ("missed", verdict.missed),
            ("false", verdict.false),
            ("otherwise", verdict.otherwise),
            ("decoys", verdict.spared),
            ("explained", verdict.explained),
            ("doubted", verdict.doubted),
        ):
            for state, count in Counter(state for state, _ in keys).items():
                setattr(rows[state], name, getattr(rows[state], name) + count)
        for state in {state for state, _ in verdict.injured}:
            rows[state].estates += 1
    return rows


def table(rows: Mapping[str, Row], total: Row, machines: int, seeds: int) -> str:
    """The rows for a reader."""
    head = "| state | estates | injured | found | missed | false | precision | recall | decoys | explained |"
    about = f"""# Ground truth

{seeds} generated estates of {machines:,} machines, each swept through the simulated Azure. `injured` are targets that
suffer from the state, `decoys` such that only look as if, `explained` such that suffer from it and are rightly not
found while something else has to be mended first. Suspects are looked into (`PATCHWRIGHT_PROBE`).
Made by `make ground-truth`.
"""
    lines = [
        about,
        head,
        "| --- |" + " ---: |" * 9,
        *(_line(state, row) for state, row in rows.items()),
        _line("**all**", total),
        "",
    ]
    return "\n".join(lines)


def _line(state: str, row: Row) -> str:
    counts = (row.estates, row.injured, row.found, row.missed, row.false)
    shares = tuple("" if share is None else f"{share:.2%}" for share in (row.precision, row.recall))
    return f"| {state} | " + " | ".join(map(str, (*counts, *shares, row.decoys, row.explained))) + " |"


def main(machines: int, seeds: int, first: int) -> int:
    """Judge the estates, write the results; 1 where anything was missed, false, answered otherwise or doubted."""
    began = time.monotonic()
    judgements = []
    with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn")) as pool:
        for one in pool.map(judge_seed, [machines] * seeds, range(first, first + seeds)):
            judgements.append(one)
            wrong = len(list(_mistakes(one.verdict)))
            sys.stderr.write(f"seed {one.seed}: {len(one.verdict.found)} found, {wrong} wrong, {one.seconds} s\n")
    rows = tallied(judgements)
    total = Row(
        estates=seeds,
        **{
            name: sum(getattr(row, name) for row in rows.values())
            for name in ("injured", "found", "missed", "false", "otherwise", "decoys", "explained", "doubted")
        },
    )
    mistakes = {str(one.seed): sorted(_mistakes(one.verdict)) for one in judgements}
    save(
        "ground-truth",
        {
            "machines": machines,
            "seeds": [first, first + seeds - 1],
            "wall_s": round(time.monotonic() - began, 1),
            "estate_s": {"median": sorted(one.seconds for one in judgements)[seeds // 2],
                         "most": max(one.seconds for one in judgements)},
            "total": _shown(total),
            "states": {state: _shown(row) for state, row in rows.items()},
            "mistakes": {seed: those for seed, those in mistakes.items() if those},
        },
    )  # fmt: skip
    (RESULTS / "ground-truth.md").write_text(table(rows, total, machines, seeds), encoding="utf-8")
    return 1 if any(mistakes.values()) else 0


def _mistakes(verdict: Verdict) -> Iterable[str]:
    for kind, keys in (
        ("missed", verdict.missed),
        ("false", verdict.false),
        ("otherwise", verdict.otherwise),
        ("doubted", verdict.doubted),
        ("passed over", verdict.passed_over),
    ):
        yield from (f"{kind} {state} {target}" for state, target in keys)


def _shown(row: Row) -> dict[str, object]:
    return {**asdict(row), "precision": row.precision, "recall": row.recall}


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    raise SystemExit(main(*(given + [MACHINES, SEEDS, 0][len(given) :])))
