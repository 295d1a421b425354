"""`runs`, `show` and `audit`: what the ledger remembers."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from cli.arguments import Audit, Runs, Show
from cli.deeds import objects
from cli.estate import engine_for, ledger_of, offline_runs, settings_without_estate
from cli.hands import Failed, Hands
from cli.output import print_json, write_page
from cli.progress import ProgressLine
from cli.shown import shown
from cli.sweeping import DONE, known_run
from cli.view import run_view
from engine.audit import every_run, records
from engine.pausing import CONTROL
from engine.ports import LedgerUnreadable
from engine.wire import UnreadableRecord
from model.documents import Document, Json

if TYPE_CHECKING:
    from engine.engine import Engine

_SUMMARY: Final = ("id", "trigger", "mode", "by", "undoes", "status", "error", "started", "finished")
_COUNTED: Final = ("findings", "unknown", "plans", "outcomes")


def show(command: Show, hands: Hands) -> int:
    with _ledger(hands, ledger_of(command.run)) as engine:
        document = known_run(engine, command.run)
    if command.html:
        write_page(command.html, document)
    if command.json:
        print_json(document)
        return DONE
    from cli.sheet import Sheet  # noqa: PLC0415 - not for those who want JSON
    from cli.terminal import write_run  # noqa: PLC0415

    write_run(Sheet.on_stdout(), run_view(document))
    return DONE


def runs(command: Runs, hands: Hands) -> int:
    found: list[tuple[str, Document, bool]] = []
    with _ledger(hands, None) as engine:
        pauses: list[Json] = [pause.document for pause in engine.switch.pauses()]
        found += [(run, _document(engine, run), False) for run in engine.ledger.runs(command.limit, command.before)]
    offline = [run for run in offline_runs() if command.before is None or run < command.before]
    for run in offline[: command.limit]:
        with _ledger(hands, ledger_of(run)) as engine:
            found.append((run, _document(engine, run), True))
    newest = sorted(found, key=lambda item: item[0], reverse=True)[: command.limit]
    if command.json:
        listed: list[Json] = [_summary(document, offline=offline) for _, document, offline in newest]
        paused: Document = {"pauses": pauses} if pauses else {}
        print_json({**paused, "runs": listed, "next": newest[-1][0] if len(newest) == command.limit else None})
        return DONE
    from cli.lists import write_pauses, write_runs  # noqa: PLC0415 - not for those who want JSON
    from cli.sheet import Sheet  # noqa: PLC0415

    sheet = Sheet.on_stdout()
    write_pauses(sheet, [pause for pause in pauses if isinstance(pause, dict)])
    write_runs(sheet, [(document, offline) for _, document, offline in newest])
    return DONE


def audit(command: Audit, hands: Hands) -> int:
    """Every decision of the named runs, or of all, as JSON lines; oldest run first."""
    with _ledger(hands, None) as engine:
        ledger = engine.ledger
        for run in command.runs:
            if engine.journal.header(run) is None:
                raise Failed(f"there is no run {shown(repr(run), 120)} in the ledger; `patchwright runs` lists them")
        wanted = command.runs or [*reversed([*every_run(ledger, control=CONTROL)])]
        for record in records(ledger, wanted, command.since):
            # A line each, in ASCII: what a collector of logs takes without a question.
            sys.stdout.write(json.dumps(record, separators=(",", ":")) + "\n")
    return DONE


def _summary(document: Document, *, offline: bool) -> Document:
    return {
        **{name: document.get(name) for name in _SUMMARY},
        "counts": {name: len(objects(document, name)) for name in _COUNTED},
        "summary": run_view(document).summary,
        "offline": offline,
    }


def _document(engine: Engine, run: str) -> Document:
    """The run document; for one that cannot be read, at least that there is one."""
    try:
        document = engine.document(run)
    except UnreadableRecord as error:
        return {"id": run, "status": "unreadable", "error": str(error)}
    return document or {"id": run, "status": "unreadable"}


@contextlib.contextmanager
def _ledger(hands: Hands, offline: str | None) -> Iterator[Engine]:
    settings = settings_without_estate()
    if offline is not None:
        settings = dataclasses.replace(settings, ledger=offline)
    engine = engine_for(hands, settings, ProgressLine())
    try:
        yield engine
    except (LedgerUnreadable, UnreadableRecord) as error:
        raise Failed(str(error)) from error
    finally:
        engine.ledger.close()
