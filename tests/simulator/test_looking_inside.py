"""A dry run that may look inside, from the sweep to the wire: nothing but the diagnosis goes out, and little of it."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import composition
from adapters.prober import diagnoses
from engine.inline import drive
from engine.process import PROCESSES
from engine.requests import SweepRequest, new_run_id
from engine.settings import Settings
from model.documents import Document, at, list_at, text_at
from model.states import FailureState
from simulator.fleets import generate
from simulator.serve import Simulator, running

STATES = (FailureState.UPDATES_WITHOUT_DEPLOYMENT, FailureState.KB2267602_MISSING, FailureState.LINUX_RUN_FAILED)
READS = ("/query", "/$batch", "/resources")


def sent(azure: Simulator) -> list[Document]:
    """What could have changed something."""
    return [
        request
        for request in azure.requests()
        if request["method"] != "GET" and not str(request["path"]).split("?", 1)[0].lower().endswith(READS)
    ]


def test_a_dry_run_sends_the_diagnosis_to_suspects_and_takes_it_away_again(tmp_path: Path) -> None:
    with running(generate(150, 1)) as azure:
        env = {**azure.settings, "PATCHWRIGHT_LEDGER": f"sqlite:{tmp_path / 'ledger'}", "PATCHWRIGHT_MAX_PROBES": "4"}
        engine = composition.build(Settings.from_env({**env, "PATCHWRIGHT_PROBE": "suspects", "DRY_RUN": "true"}))
        request = SweepRequest(run=new_run_id(engine.clock.now()), trigger="cli", dry_run=True, states=STATES)
        drive(PROCESSES["sweep"](request.document), engine.activities, engine.clock)
        document = engine.document(request.run)
        out = sent(azure)
        # Again, at once: every suspect has been asked, or is left for another night.
        again = SweepRequest(run=new_run_id(engine.clock.now()), trigger="cli", dry_run=True, states=STATES)
        drive(PROCESSES["sweep"](again.document), engine.activities, engine.clock)
        later = sent(azure)[len(out) :]
        engine.ledger.close()

    assert document is not None
    probes = [re.fullmatch(r"(.*)/runcommands/(patchwright-probe-[0-9a-f]{16})", path(one)) for one in out]
    assert all(probes)
    assert Counter(str(one["method"]) for one in out) == {"PUT": 4, "DELETE": 4}
    assert at(document, "facts.requests.probe") == 8
    assert at(document, "facts.requests.write") == 0
    machines = {found[1] for found in probes if found}
    assert len(machines) == 4
    assert all(text_at(body(one), "properties.source.script") in diagnoses() for one in out if one["method"] == "PUT")
    assert machines.isdisjoint(path(one).rpartition("/runcommands/")[0] for one in later)
    assert [one for one in list_at(document, "findings") if isinstance(one, dict) and at(one, "evidence.inside")]


def path(request: Document) -> str:
    return str(request["path"]).split("?", 1)[0].lower()


def body(request: Document) -> Document:
    held = json.loads(text_at(request, "body"))
    assert isinstance(held, dict)
    return held
