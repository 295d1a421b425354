"""`undo`: how a run's changes would be put back, a question where somebody is there to answer it, and the deed."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Final

from cli.arguments import Undo
from cli.deeds import objects
from cli.estate import engine_for, ledger_of, settings_from
from cli.hands import Failed, Hands
from cli.output import print_json
from cli.progress import ProgressLine
from cli.shown import shown
from cli.sweeping import DONE, FAILED, LOCKED, drive_here, known_run, person, planned_finding, states_of, stopped
from cli.telling import Teller, document_of
from cli.view import run_view
from engine.process import PROCESSES
from engine.requests import InvalidRequest, new_run_id
from engine.undoing import CannotUndo, UndoRequest
from model.documents import Document, text_at

if TYPE_CHECKING:
    from engine.engine import Engine

_YES: Final = "yes"
_NOT_DONE: Final = frozenset({"failed", "ineffective", "stale", "refused", "held"})


def undo(command: Undo, hands: Hands) -> int:
    """Plan, show, ask on a terminal, undo, verify."""
    progress = ProgressLine()
    if ledger_of(command.run):
        raise Failed(f"run {shown(command.run)} was made from a folder; it changed nothing")
    engine = engine_for(hands, settings_from(os.environ), progress)
    with contextlib.closing(engine.ledger):
        document = known_run(engine, command.run)
        if engine.settings.dry_run and not command.dry_run:
            raise Failed(f"{LOCKED} `--dry-run` shows the plan.")
        findings = None if command.findings is None else [planned_finding(document, f) for f in command.findings]
        if not command.dry_run and (why := engine.may_apply(states_of(document, findings))):
            raise Failed(stopped(why))
        # Shown first, whatever was asked for; what is applied then is what was shown.
        request = UndoRequest(
            run=new_run_id(engine.clock.now()),
            undoes=command.run,
            trigger="cli",
            findings=None if findings is None else tuple(findings),
            by=person(),
        )
        try:
            undoing = engine.undoing.accept(request)
        except (CannotUndo, InvalidRequest) as error:
            raise Failed(shown(str(error), 500)) from error
        if undoing != request.run:
            return _already(engine, undoing, command)
        return _undo(engine, command, request, progress)


def _already(engine: Engine, undoing: str, command: Undo) -> int:
    if command.json:
        print_json(document_of(engine, undoing))
    else:
        sys.stdout.write(f"run {shown(command.run)} was undone already, by run {shown(undoing)}: nothing to do\n")
    return DONE


def _undo(engine: Engine, command: Undo, request: UndoRequest, progress: ProgressLine) -> int:
    teller = Teller(engine, request.run, progress, quiet=command.json)
    due = drive_here(engine, teller, PROCESSES["undo"](request.document), command.wait)
    document = document_of(engine, request.run)
    plans = objects(document, "plans")
    again = f"patchwright apply {request.run}"
    follow: tuple[tuple[str, str], ...] = (("To undo exactly this:", again),) if plans else ()
    wanted = bool(plans) and not command.dry_run
    if wanted and confirmed(command, document):
        follow = ()
        teller.begin_apply(document)
        apply: Document = {
            "run": request.run,
            "attempt": f"{request.run}-apply-1",
            "findings": None,
            "by": request.by,
        }
        due = drive_here(engine, teller, PROCESSES["apply"](apply), command.wait)
        document = document_of(engine, request.run)
    if command.json:
        print_json(document)
    else:
        teller.end(document, due, follow)
    return DONE if command.dry_run else _status(document, unfinished=due is not None)


def confirmed(command: Undo, document: Document) -> bool:
    """Whoever pipes has decided; whoever sits there has just seen the plan for the first time."""
    asked = sys.stdin.isatty() and sys.stdout.isatty() and not command.yes and not command.json
    if not asked or not any(text_at(plan, "verdict.kind") == "allow" for plan in objects(document, "plans")):
        return True
    sys.stdout.write(f"\nUndo this? Only `{_YES}` is taken for one: ")
    sys.stdout.flush()
    if sys.stdin.readline().strip() == _YES:
        return True
    sys.stdout.write("Nothing was changed.\n")
    return False


def _status(document: Document, *, unfinished: bool) -> int:
    fates = {finding.fate for group in run_view(document).groups for finding in group.findings}
    if fates & _NOT_DONE:
        return FAILED
    # Nothing came back, although something was asked for.
    return DONE if unfinished or not fates or "undone" in fates else FAILED
