"""`sweep` and `apply`: the process, driven in this thread, and told while it happens."""

from __future__ import annotations

import contextlib
import getpass
import json
import logging
import os
import secrets
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Final

from cli.arguments import Apply, Sweep
from cli.deeds import objects
from cli.diagnoses import kept_diagnoses, kept_in
from cli.estate import engine_for, ledger_of, offline_engine, settings_from
from cli.hands import Failed, Hands, Usage
from cli.interrupt import interruptible
from cli.output import print_json, write_page
from cli.progress import ProgressLine, TellingClock
from cli.shown import shown
from cli.telling import Teller, document_of
from cli.view import run_view
from engine.inline import TooLongToWait, drive
from engine.ports import AzureUnavailable, LedgerUnreadable, NotFound, PermissionMissing
from engine.process import PROCESSES, Process
from engine.requests import SweepRequest, new_run_id
from engine.wire import UnreadableRecord
from model.documents import Document, list_at, text_at
from model.states import FailureState, Mode

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.settings import Settings

log = logging.getLogger("patchwright")

DONE: Final = 0
FAILED: Final = 1
FINDINGS: Final = 3
_PATIENCE: Final = timedelta(minutes=15)
"""How long a person may be expected to sit and watch."""
LOCKED: Final = "DRY_RUN is set: the app is locked, and nothing can be applied. Set DRY_RUN=false to unlock it."


def sweep(command: Sweep, hands: Hands) -> int:
    """Look, plan, and where it was asked for and is allowed, repair."""
    progress = ProgressLine(wanted=True)
    with _engine(command, hands, progress) as (engine, run):
        if command.apply and (why := engine.may_apply(command.states or ())):
            raise Failed(LOCKED if engine.settings.dry_run else stopped(why))
        engine.sweeping.kept = kept_in(command.source) | kept_diagnoses(command.diagnoses)
        request = SweepRequest(
            run=run,
            trigger="cli",
            dry_run=not command.apply,
            states=command.states,
            machines=command.machines,
            by=person(),
        )
        teller = Teller(engine, run, progress, quiet=command.json)
        due = drive_here(engine, teller, PROCESSES["sweep"](request.document), command.wait)
        document = document_of(engine, run)
        if command.json:
            print_json(document)
        if command.html:
            write_page(command.html, document)
        if not command.json:
            teller.end(document, due, what_next(document, engine.settings, offline=command.source is not None))
    return _sweep_status(document, fail_on_findings=command.fail_on_findings)


def apply(command: Apply, hands: Hands) -> int:
    """Apply the saved plan of a run, or go on with what an earlier `apply` left."""
    progress = ProgressLine()
    if ledger_of(command.run):
        raise Failed(
            f"run {shown(command.run)} was made from a folder; only a sweep of the estate itself can be applied"
        )
    engine = engine_for(hands, settings_from(os.environ), progress)
    with contextlib.closing(engine.ledger):
        run = command.run
        document = known_run(engine, run)
        if engine.settings.dry_run:
            raise Failed(LOCKED)
        findings = None if command.findings is None else [planned_finding(document, text) for text in command.findings]
        if why := engine.may_apply(states_of(document, findings)):
            raise Failed(stopped(why))
        attempts = sum(1 for entry in engine.ledger.entries(run) if entry.kind == "apply")
        request: Document = {
            "run": run,
            # Two commands at once count the same attempts, and still are two.
            "attempt": f"{run}-apply-{attempts + 1}-{secrets.token_hex(2)}",
            "findings": None if findings is None else list(findings),
            "by": person(),
        }
        teller = Teller(engine, run, progress, quiet=command.json)
        teller.begin_apply(document)
        due = drive_here(engine, teller, PROCESSES["apply"](request), command.wait)
        document = document_of(engine, run)
        if command.json:
            print_json(document)
        else:
            teller.end(document, due, what_next(document, engine.settings))
    return status_of_apply(document, findings, unfinished=due is not None)


def stopped(why: str) -> str:
    return f"{shown(why, 500)}. `patchwright resume` lifts a pause."


def states_of(document: Document, findings: list[str] | None) -> list[FailureState]:
    """The states whose plans are to be applied."""
    keys = findings if findings is not None else [text_at(plan, "finding") for plan in objects(document, "plans")]
    named = {key.partition(":")[0] for key in keys}
    return [state for state in FailureState if state.value in named]


def known_run(engine: Engine, run: str) -> Document:
    """The run document. Raises `Failed` for a run of which the ledger knows nothing, or nothing that can be read."""
    try:
        document = engine.document(run)
    except UnreadableRecord as error:
        raise Failed(f"the record of run {shown(run)} cannot be used: {error}") from error
    if document is not None:
        return document
    near = get_close_matches(run, engine.ledger.runs(200), n=1)
    hint = f"did you mean {near[0]}?" if near else "`patchwright runs` lists those there are"
    raise Failed(f"there is no run {shown(repr(run), 120)} in the ledger; {hint}")


# Around the process


def drive_here(engine: Engine, teller: Teller, process: Process, wait: timedelta | None) -> timedelta | None:
    """Run the process; answers how long to wait where the next look is further away than the caller's patience."""
    # Simulated time moves when told to: no wait is long.
    patience = wait if wait is not None or engine.settings.simulated else _PATIENCE
    clock = TellingClock(engine.clock, teller.progress)
    try:
        interruptible(partial(drive, process, teller.activities(), clock, patience))
    except TooLongToWait as too_long:
        return too_long.duration
    except KeyboardInterrupt:
        _fail(engine, teller.run, "interrupted")
        raise
    except Exception as error:
        # Whatever it is: the ledger has to say that this run broke.
        log.info("process broke", extra={"run": teller.run}, exc_info=True)
        known = isinstance(error, AzureUnavailable | PermissionMissing | NotFound | LedgerUnreadable)
        why = str(error) if known else f"{type(error).__name__}: {error}"
        _fail(engine, teller.run, why)
        raise Failed(f"{why}\nrun {teller.run} has failed; what was done until then is in its record") from error
    finally:
        teller.progress.clear()
    return None


def _fail(engine: Engine, run: str, why: str) -> None:
    # What broke the run may be what the record needs, too.
    with contextlib.suppress(LedgerUnreadable, AzureUnavailable):
        engine.fail(run, why)


@contextlib.contextmanager
def _engine(command: Sweep, hands: Hands, progress: ProgressLine) -> Iterator[tuple[Engine, str]]:
    if command.source is not None:
        # Simulated time says nothing of when this run was made.
        run = new_run_id(datetime.now(UTC))
        with offline_engine(hands, command.source, run, progress) as engine:
            yield engine, run
        return
    engine = engine_for(hands, settings_from(os.environ), progress)
    with contextlib.closing(engine.ledger):
        yield engine, new_run_id(engine.clock.now())


def person() -> str:
    try:
        return getpass.getuser()
    except OSError:
        # No name for this user id, as in many containers.
        return "unknown"


def planned_finding(document: Document, text: str) -> str:
    """The key of a planned finding, from its key or the beginning of its plan's id."""
    plans = objects(document, "plans")
    keys = [text_at(plan, "finding") for plan in plans]
    if text.lower() in keys:
        return text.lower()
    begun = [text_at(plan, "finding") for plan in plans if len(text) >= 4 and text_at(plan, "id").startswith(text)]
    if len(begun) == 1:
        return begun[0]
    known = "\n".join(f"  {text_at(plan, 'id')[:8]}  {text_at(plan, 'finding')}" for plan in plans)
    raise Usage(f"--finding: the run has no plan for {shown(repr(text), 200)}; it has\n{known or '  none'}")


# What it comes to


def what_next(document: Document, settings: Settings, *, offline: bool = False) -> tuple[tuple[str, str], ...]:
    """What somebody who has read how a run stands may want to type: a sentence, and the command."""
    run = text_at(document, "id")
    fates = Counter(finding.fate for group in run_view(document).groups for finding in group.findings)
    held = _held_by_mode(document)
    askable = {state for state in held if settings.mode(FailureState(state)) is Mode.ASK}
    if offline and (fates["planned"] or held):
        return (("These facts are a folder's. To repair, sweep the estate itself.", ""),)
    if fates["to approve"]:
        return (("To see what waits for your answer, and answer it:", "patchwright approvals"),)
    if fates["queued"]:
        return (("To lift the pause and go on with what was queued:", "patchwright resume --queued"),)
    if fates["waiting"]:
        return (("To verify what is due:", f"patchwright apply {run}"),)
    if fates["planned"] or askable:
        if settings.dry_run:
            return (("DRY_RUN locks the app. To apply this plan:", f"DRY_RUN=false patchwright apply {run}"),)
        return (("To apply exactly this plan:", f"patchwright apply {run}"),)
    if held:
        modes = json.dumps({"*": "ask"} if held >= {s.value for s in FailureState} else dict.fromkeys(held, "ask"))
        return (("The plans are held by mode. To let a person apply such a plan:", f"PATCHWRIGHT_MODES='{modes}'"),)
    if objects(document, "steps"):
        return (("All of it again:", f"patchwright show {run}"),)
    return ()


def _held_by_mode(document: Document) -> set[str]:
    """The states of which a plan is held, and was not applied since, because of how far they may go."""
    held = {text_at(p, "finding") for p in objects(document, "plans") if text_at(p, "verdict.guardrail") == "mode"}
    groups = run_view(document).groups
    return {group.state for group in groups for f in group.findings if f.key in held and f.fate == "held"}


def _sweep_status(document: Document, *, fail_on_findings: bool) -> int:
    remaining = _fates(document) - Counter({"remediated": sys.maxsize})
    unknown = objects(document, "unknown")
    # A stale plan is ordinary here: what one repair of a sweep changes, another may have been planned for.
    if text_at(document, "status") == "failed" or remaining["failed"] or remaining["ineffective"]:
        return FAILED
    if fail_on_findings and remaining:
        return FINDINGS
    # A state that could not be judged at all has no target. No finding is no clean bill then.
    blind = {text_at(item, "state") for item in unknown if not text_at(item, "target")}
    if fail_on_findings and unknown:
        return FAILED
    return FAILED if blind and blind >= set(map(str, list_at(document, "scope.states"))) else DONE


def status_of_apply(document: Document, findings: list[str] | None, *, unfinished: bool) -> int:
    view = run_view(document)
    asked = [f for group in view.groups for f in group.findings if f.plan and (findings is None or f.key in findings)]
    fates = Counter(finding.fate for finding in asked)
    if fates["failed"] or fates["ineffective"] or fates["stale"]:
        return FAILED
    # Nothing happened at all, although something was asked for.
    achieved = fates["remediated"] or fates["waiting"] or fates["undone"]
    return FAILED if asked and not unfinished and not achieved else DONE


def _fates(document: Document) -> Counter[str]:
    return Counter(finding.fate for group in run_view(document).groups for finding in group.findings)
