"""What only a person may say: yes or no to a treatment that waits, stop, and go on."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Final

from cli.arguments import Answer, Approvals, Pause, Resume
from cli.estate import engine_for, settings_from, settings_without_estate
from cli.hands import Failed, Hands, Usage
from cli.output import print_json
from cli.progress import ProgressLine
from cli.shown import shown
from cli.sweeping import DONE, drive_here, known_run, person, status_of_apply, what_next
from cli.telling import Teller, document_of
from engine.approvals import Decision, NotAnswerable, UnknownApproval
from engine.ports import LedgerUnreadable
from engine.process import PROCESSES
from engine.wire import UnreadableRecord
from model.documents import Document, Json

if TYPE_CHECKING:
    from engine.approvals import Approval
    from engine.engine import Engine
    from engine.pausing import Work
    from engine.settings import Settings

_SHORTEST: Final = 4
"""Digits of a hash that are taken for the beginning of one."""


def said(command: Approvals | Answer | Pause | Resume, hands: Hands) -> int:
    """Carry out what somebody said."""
    match command:
        case Approvals():
            return approvals(command, hands)
        case Answer():
            return answer(command, hands)
        case Pause():
            return pause(command, hands)
        case Resume():
            return resume(command, hands)


def approvals(command: Approvals, hands: Hands) -> int:
    """What waits for an answer."""
    with _engine(hands, settings_without_estate()) as engine:
        waiting = engine.waiting()
    if command.json:
        print_json({"approvals": [one.document for one in waiting]})
        return DONE
    from cli.lists import write_approvals  # noqa: PLC0415 - not for those who want JSON
    from cli.sheet import Sheet  # noqa: PLC0415

    write_approvals(Sheet.on_stdout(), [one.document for one in waiting])
    return DONE


def answer(command: Answer, hands: Hands) -> int:
    """Say yes or no, once; what was asked from a command line goes on in this one."""
    approving = command.decision is Decision.APPROVE
    settings = settings_from(os.environ) if approving else settings_without_estate()
    with _engine(hands, settings) as engine:
        wanted = _meant(engine, command.id)
        before = known_run(engine, wanted.run) if wanted else None
        id_ = wanted.id if wanted else command.id
        try:
            said = engine.answer(id_, command.decision, by=person(), reason=command.reason)
        except UnknownApproval as error:
            raise Failed(f"{shown(str(error), 200)}; `patchwright approvals` lists those there are") from error
        except NotAnswerable as error:
            raise Failed(shown(str(error), 500)) from error
        if approving and before is not None and before.get("trigger") == "cli":
            return _go_on(engine, said, before, command)
        return _told(said, command)


def _go_on(engine: Engine, said: Approval, before: Document, command: Answer) -> int:
    """The run began in a terminal, so that no process of the app waits for the answer."""
    request: Document = {"run": said.run, "attempt": said.id, "findings": [said.finding], "by": person()}
    teller = Teller(engine, said.run, ProgressLine(), quiet=command.json)
    teller.begin_apply(before, only=1)
    due = drive_here(engine, teller, PROCESSES["apply"](request), command.wait)
    document = document_of(engine, said.run)
    if command.json:
        print_json(document)
    else:
        teller.end(document, due, what_next(document, engine.settings))
    return status_of_apply(document, [said.finding], unfinished=due is not None)


def _told(said: Approval, command: Answer) -> int:
    if command.json:
        print_json(said.document)
        return DONE
    from cli.sheet import Sheet  # noqa: PLC0415 - not for those who want JSON

    sheet = Sheet.on_stdout()
    sheet.line((f"{said.document['status']} ", "bold green"), shown(said.name), (f"  {said.finding}", "dim"), hang=2)
    if command.decision is Decision.APPROVE:
        sheet.line(("The function app goes on with it: at once, or within half an hour. ", "dim"))
        sheet.line("To see how: ", (f"patchwright show {said.run}", "bold cyan"), hang=2)
    return DONE


def _meant(engine: Engine, text: str) -> Approval | None:
    """What waits under an id, under its run's id, or under the beginning of its plan's id or hash."""
    waiting = engine.approvals.unanswered()
    if found := [one for one in waiting if text in {one.id, one.run, one.finding}]:
        pass
    elif len(text) >= _SHORTEST:
        found = [one for one in waiting if one.plan_hash.startswith(text) or one.plan.startswith(text)]
    if len(found) > 1:
        listed = "\n".join(f"  {one.id}  {shown(one.name)}" for one in found)
        raise Usage(f"{shown(repr(text), 120)} could be any of\n{listed}")
    return found[0] if found else None


# The kill switch


def pause(command: Pause, hands: Hands) -> int:
    """From now on no step starts, here and in the function app that shares the ledger."""
    with _engine(hands, settings_without_estate()) as engine:
        engine.switch.pause(command.state, by=person(), reason=command.reason)
        return _standing(engine, (), json=command.json)


def resume(command: Resume, hands: Hands) -> int:
    """Lift a pause; go on with what was queued where that was asked for."""
    settings = settings_from(os.environ) if command.queued else settings_without_estate()
    with _engine(hands, settings) as engine:
        if command.queued and engine.settings.dry_run:
            raise Failed(f"{engine.may_write()}. Set DRY_RUN=false to unlock it.")
        lifted = engine.switch.resume(command.state, by=person(), reason=command.reason)
        if lifted is None and not command.queued:
            what = command.state.value if command.state else "the app"
            others = "".join(f"\n  {pause}" for pause in engine.switch.pauses())
            raise Failed(f"{what} is not paused" + (f"; what is:{others}" if others else ""))
        if not command.queued:
            return _standing(engine, (), json=command.json)
        return _gone_on(engine, engine.free_to_go_on(), command)


def _gone_on(engine: Engine, free: tuple[Work, ...], command: Resume) -> int:
    statuses, started = [], list[Json]()
    for run, works in groupby(free, key=lambda work: work.run):
        findings: list[str] = [work.finding for work in works]
        attempts = sum(1 for entry in engine.ledger.entries(run, kinds=frozenset({"apply"})))
        listed: list[Json] = [*findings]
        request: Document = {
            "run": run,
            # Two commands at once count the same attempts, and still are two.
            "attempt": f"{run}-apply-{attempts + 1}-{secrets.token_hex(2)}",
            "findings": listed,
            "by": person(),
        }
        teller = Teller(engine, run, ProgressLine(), quiet=command.json)
        teller.begin_apply(document_of(engine, run), only=len(findings))
        due = drive_here(engine, teller, PROCESSES["apply"](request), command.wait)
        document = document_of(engine, run)
        if not command.json:
            teller.end(document, due, what_next(document, engine.settings))
        statuses.append(status_of_apply(document, findings, unfinished=due is not None))
        started.append({"run": run, "findings": listed})
    return max([*statuses, _standing(engine, started, json=command.json, quiet=bool(free))])


def _standing(engine: Engine, started: list[Json] | tuple[()], *, json: bool, quiet: bool = False) -> int:
    """What is paused, what is in flight all the same, and what waits."""
    switch = engine.switch
    pauses, in_flight, queued = switch.pauses(), switch.in_flight(), switch.queued()
    document: Document = {
        "pauses": [pause.document for pause in pauses],
        "inFlight": [work.document for work in in_flight],
        "queued": [work.document for work in queued],
        "started": [*started],
    }
    if json:
        print_json(document)
    elif not quiet or queued:
        from cli.lists import write_standing  # noqa: PLC0415 - not for those who want JSON
        from cli.sheet import Sheet  # noqa: PLC0415

        write_standing(Sheet.on_stdout(), document)
    return DONE


@contextlib.contextmanager
def _engine(hands: Hands, settings: Settings) -> Iterator[Engine]:
    engine = engine_for(hands, settings, ProgressLine())
    try:
        yield engine
    except (LedgerUnreadable, UnreadableRecord) as error:
        raise Failed(str(error)) from error
    finally:
        engine.ledger.close()
