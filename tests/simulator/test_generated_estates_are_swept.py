"""Generated estates and the product agree: a sweep through the simulated Azure finds exactly what an estate suffers
from, and what it applies heals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import composition
from engine.engine import Engine
from engine.inline import drive
from engine.process import PROCESSES
from engine.requests import SweepRequest, new_run_id
from engine.run_document import run_document
from engine.settings import Settings
from simulator.fleet import Fleet
from simulator.fleets import generate, sample
from simulator.serve import running
from tests.builders import ALL_OPTED_IN
from tests.simulator.estate_oracle import told


@contextmanager
def an_engine(fleet: Fleet, folder: Path, **settings: str) -> Iterator[Engine]:
    with running(fleet) as azure:
        environment = {
            **azure.settings,
            "PATCHWRIGHT_LEDGER": f"sqlite:{folder / 'ledger.sqlite'}",
            "PATCHWRIGHT_MODES": '{"*": "act"}',
            "PATCHWRIGHT_OPT_IN": ALL_OPTED_IN,
            **settings,
        }
        yield composition.build(Settings.from_env(environment))


def swept(engine: Engine, *, dry_run: bool) -> dict[str, Any]:
    """The run document of a sweep that was driven to its end."""
    request = SweepRequest(run=new_run_id(engine.clock.now()), trigger="cli", dry_run=dry_run)
    engine.accept(request)
    drive(PROCESSES["sweep"](request.document), engine.activities, engine.clock)
    document = run_document(engine.ledger.entries(request.run))
    assert document is not None
    return document


@pytest.mark.parametrize(("machines", "seed"), [(1, 1), (7, 2), (20, 3), (24, 4), (60, 5), (400, 6)])
def test_a_sweep_finds_what_an_estate_suffers_from_and_nothing_else(machines: int, seed: int, tmp_path: Path) -> None:
    """Every injury is found and gets a plan, or the advice where there is none; no decoy is; nothing is unknown."""
    fleet = generate(machines, seed)
    with an_engine(fleet, tmp_path) as engine:
        run = swept(engine, dry_run=True)

    followed = {
        tuple(each["finding"].split(":", 1)): then
        for then, listed in (("plan", run["plans"]), ("advice", run["advice"]))
        for each in listed
    }
    assert {(each["state"], each["target"]) for each in run["findings"]} == told(fleet).found.keys()
    assert followed == told(fleet).found
    assert run["unknown"] == []


def test_what_a_sweep_of_the_sample_applies_heals(tmp_path: Path) -> None:
    """With the limits as they are set by default: all that has a plan is remediated, the rest is for a person."""
    fleet = sample()
    with an_engine(fleet, tmp_path, DRY_RUN="false") as engine:
        outcomes = {each["finding"]: each["outcome"] for each in swept(engine, dry_run=False)["outcomes"]}
        left = {each["target"] for each in swept(engine, dry_run=True)["findings"]}

    hoped = {f"{state}:{target}": then for (state, target), then in told(fleet).found.items()}
    assert Counter(outcomes.values()) == Counter(
        {"remediated": [*hoped.values()].count("plan"), "declined": [*hoped.values()].count("advice")}
    )
    assert not left & {key.split(":", 1)[1] for key, then in hoped.items() if then == "plan"}
