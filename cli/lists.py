"""The ledger and the catalogue as lists on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from cli.deeds import objects
from cli.sheet import Part, Sheet
from cli.shown import moment_of, shown
from cli.view import run_view
from model.documents import Document, list_at, text_at

_STATUS: Final = {"completed": "green", "waiting": "yellow", "running": "yellow"}
_MODES: Final = {"off": "dim", "observe": "", "ask": "yellow", "act": "green"}


def write_runs(sheet: Sheet, runs: Sequence[tuple[Document, bool]]) -> None:
    """A run in two lines: when, what kind and how it stands, then what came of it."""
    if not runs:
        sheet.line(("The ledger is empty. A first look: ", "dim"), ("patchwright sweep", "bold cyan"))
    for document, offline in runs:
        status = text_at(document, "status")
        sheet.ends(
            [(shown(text_at(document, "id")), "bold"), ("  " + moment_of(document.get("started")), "dim")],
            [(f"{text_at(document, 'mode')}  ", ""), (status, _STATUS.get(status, "bold red"))],
        )
        origin = "from a folder" if offline else f"by {text_at(document, 'trigger')}"
        summary = run_view(document).summary if "findings" in document else text_at(document, "error")
        sheet.line((f"{origin} · ", "dim"), shown(summary), indent=2, hang=2)


def write_states(sheet: Sheet, entries: Iterable[Document]) -> None:
    """Each failure state: what it is, where it is seen, how it is repaired, how far Patchwright goes."""
    for number, entry in enumerate(entries):
        if number:
            sheet.blank()
        mode = text_at(entry, "mode")
        sheet.ends([(text_at(entry, "id"), "bold cyan")], [("mode ", "dim"), (mode, _MODES.get(mode, ""))])
        sheet.line(first_paragraph(text_at(entry, "manual")), indent=2)
        seen = [*map(str, list_at(entry, "reads")), *(f"{query}.kql" for query in list_at(entry, "queries"))]
        sheet.line(("seen in   ", "dim"), ", ".join(seen), indent=2, hang=10)
        for remediation in objects(entry, "remediations"):
            head: list[Part] = [("repair    ", "dim"), (text_at(remediation, "id"), "bold")]
            kind = f"  {text_at(remediation, 'class')}, {text_at(remediation, 'impact')}"
            sheet.line(*head, (kind, "magenta"), indent=2, hang=10)
            sheet.line(first_paragraph(text_at(remediation, "manual")), indent=12)


def first_paragraph(manual: str) -> str:
    """What a manual page begins with, on one line."""
    return " ".join(manual.split("\n\n", 1)[0].split())
