"""What the terminal prints of an estate: read, found, planned, judged and told as ever, from facts that are at hand."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from rich.console import Console

from cli.sheet import Sheet
from cli.terminal import write_run
from cli.view import run_view
from engine.inline import drive
from engine.ports import ProbeAnswered, ProbeProgress, Progress, RequestCount
from engine.process import sweep
from engine.requests import SweepRequest
from model.diagnosis import OperatingSystem
from model.documents import Document
from model.facts import Facts, Machine, Reading
from model.states import FailureState
from tests.engine.conftest import App
from tests.engine.test_probing import an_answer

FOLDER: Final = Path(__file__).parent
_WIDTH: Final = 100
RUN: Final = "20260310T060000-00000000"


@dataclass(slots=True, kw_only=True)
class Known:
    """An estate that is known already. Implements `Estate`."""

    facts: Facts
    requests: RequestCount = field(default_factory=RequestCount)

    def read(self, readings: frozenset[Reading], queries: Mapping[str, str], progress: Progress) -> Facts:
        return replace(self.facts, documents={})

    def look_closer(self, facts: Facts, ids: frozenset[str]) -> Facts:
        seen: dict[str, Document] = {id_: doc for id_, doc in self.facts.documents.items() if id_ in ids}
        return replace(facts, documents={**facts.documents, **seen})


@dataclass(slots=True, kw_only=True)
class Talkative:
    """Looks into machines that answer at once. Implements `Prober`."""

    says: Mapping[str, str]
    """What rules of the diagnosis say, by code; the others are passed."""
    requests: RequestCount = field(default_factory=RequestCount)

    def begin(self, machine: Machine, name: str) -> ProbeProgress:
        return self.check(machine.id, name)

    def check(self, machine: str, name: str, *, last: bool = False) -> ProbeProgress:
        return ProbeAnswered(text=an_answer(OperatingSystem.WINDOWS, **self.says))


def told(state: FailureState, facts: Facts, inside: Mapping[str, str] | None = None) -> str:
    """What a dry run for that state prints; `inside` is what machines say that are looked into."""
    app = App()
    app.set(probe="suspects")
    engine = replace(app.engine, estate=Known(facts=facts), prober=Talkative(says=inside or {}))
    request = SweepRequest(run=RUN, trigger="cli", dry_run=True, states=(state,))
    engine.accept(request)
    drive(sweep(request.document), engine.activities, engine.clock)
    document = engine.document(RUN)
    assert document is not None
    return _printed(document)


def golden(state: FailureState) -> Path:
    """The file that holds what is printed for a state."""
    return FOLDER / f"{state.value}.txt"


def _printed(document: Document) -> str:
    out = io.StringIO()
    terminal = Console(file=out, width=_WIDTH, force_terminal=True, color_system=None, markup=False, highlight=False)
    write_run(Sheet(terminal), run_view(document))
    return out.getvalue()
