"""What may be typed: the commands and their options."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Final, NoReturn

from cli.hands import Usage
from cli.shown import shown
from engine.approvals import Decision
from engine.requests import InvalidRequest, machines_in
from model.resource_ids import InvalidResourceId, ResourceId
from model.states import FailureState
from model.times import parse_duration, parse_time

_RUNS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class States:
    json: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    apply: bool
    states: tuple[FailureState, ...] | None
    machines: tuple[str, ...] | None
    source: Path | None
    diagnoses: tuple[tuple[str, Path], ...] = ()
    """Resource ids of machines, each with the file of what its diagnosis printed."""
    json: bool
    html: Path | None
    fail_on_findings: bool
    wait: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Apply:
    run: str
    findings: tuple[str, ...] | None
    json: bool
    wait: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    run: str
    findings: tuple[str, ...] | None
    dry_run: bool
    yes: bool
    json: bool
    wait: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    json: bool
    limit: int
    before: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    run: str
    json: bool
    html: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    runs: tuple[str, ...]
    """Empty: every run."""
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    json: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    decision: Decision
    id: str
    """The approval's, its run's where only one waits there, or the beginning of its plan's."""
    reason: str
    json: bool
    wait: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    state: FailureState | None
    reason: str
    json: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    state: FailureState | None
    reason: str
    queued: bool
    json: bool
    wait: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportTo:
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    argv: tuple[str, ...]


type Command = (
    States | Sweep | Apply | Undo | Runs | Show | Audit | Approvals | Answer | Pause | Resume | ExportTo | Simulated
)


class _Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are exceptions, so that they are told in one place."""

    def error(self, message: str) -> NoReturn:
        raise Usage(f"{message}\n{self.format_usage().strip()}")


def parse(argv: Sequence[str]) -> Command:
    """The command that was typed.

    Raises:
        Usage: it cannot be understood; the message says what is wrong and how it would be right.
        SystemExit: help was asked for and has been given.
    """
    if argv and argv[0] == "simulate":
        # The simulated Azure has options of its own.
        return Simulated(argv=tuple(argv[1:]))
    given = _parser().parse_args(argv)
    match given.command:
        case "states":
            return States(json=given.json)
        case "sweep":
            return _sweep(given)
        case "apply":
            findings = None if given.finding is None else tuple(given.finding)
            return Apply(run=given.run, findings=findings, json=given.json, wait=_wait(given.wait))
        case "undo":
            findings = None if given.finding is None else tuple(given.finding)
            return Undo(
                run=given.run,
                findings=findings,
                dry_run=given.dry_run,
                yes=given.yes,
                json=given.json,
                wait=_wait(given.wait),
            )
        case "runs":
            if given.limit < 1:
                raise Usage(f"--limit: must be at least 1, is {given.limit}")
            return Runs(json=given.json, limit=given.limit, before=given.before)
        case "audit":
            return Audit(runs=tuple(dict.fromkeys(given.runs)), since=_time(given.since))
        case "approvals" | "approve" | "reject" | "pause" | "resume":
            return _said(given)
        case "show":
            return Show(run=given.run, json=given.json, html=given.html)
        case _:
            return ExportTo(folder=given.folder)


def _said(given: argparse.Namespace) -> Command:
    match given.command:
        case "approvals":
            return Approvals(json=given.json)
        case "approve" | "reject":
            if not given.reason.strip():
                raise Usage("--reason: say why; it is recorded")
            return Answer(
                decision=Decision(given.command),
                id=given.id,
                reason=given.reason.strip(),
                json=given.json,
                wait=_wait(given.wait) if given.command == "approve" else None,
            )
        case "pause":
            return Pause(state=_state_or_app(given.state), reason=given.reason.strip(), json=given.json)
        case _:
            return Resume(
                state=_state_or_app(given.state),
                reason=given.reason.strip(),
                queued=given.queued,
                json=given.json,
                wait=_wait(given.wait),
            )


def _sweep(given: argparse.Namespace) -> Sweep:
    if given.apply and given.source:
        raise Usage("--apply: facts from a folder are not the estate as it is now; nothing can be applied with --from")
    states = None if given.state is None else tuple(dict.fromkeys(_state(text) for text in given.state))
    try:
        machines = None if given.machine is None else machines_in(list(given.machine), "--machine")
    except InvalidRequest as error:
        hint = "; give a resource id, /subscriptions/…/virtualMachines/NAME, or name:NAME"
        raise Usage(shown(f"--machine: {error.problem}") + hint) from error
    return Sweep(
        apply=given.apply,
        states=states,
        machines=machines,
        source=given.source,
        diagnoses=tuple(_diagnosis(text) for text in given.diagnosis or ()),
        json=given.json,
        html=given.html,
        fail_on_findings=given.fail_on_findings,
        wait=_wait(given.wait),
    )


def _state_or_app(text: str | None) -> FailureState | None:
    return None if text is None else _state(text)


def _state(text: str) -> FailureState:
    known = [state.value for state in FailureState]
    if text in known:
        return FailureState(text)
    near = get_close_matches(text.lower(), known, n=3, cutoff=0.4) or [s for s in known if text.lower() in s and text]
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
    raise Usage(f"--state: there is no failure state {shown(repr(text), 80)}; {hint}")


def _diagnosis(text: str) -> tuple[str, Path]:
    machine, equals, file = text.partition("=")
    try:
        known = ResourceId.parse(machine).key
    except InvalidResourceId as error:
        raise Usage(shown(f"--diagnosis: {error}") + "; give /subscriptions/…/NAME=FILE") from error
    if not equals or not file:
        raise Usage(f"--diagnosis: {shown(repr(text), 200)} names no file; give /subscriptions/…/NAME=FILE")
    return known, Path(file)


def _wait(text: str | None) -> timedelta | None:
    value = None if text is None else parse_duration(text)
    if text is not None and value is None:
        raise Usage(f"--wait: must be an ISO 8601 duration such as PT15M or PT2H, is {shown(repr(text), 60)}")
    return value


def _time(text: str | None) -> datetime | None:
    value = None if text is None else parse_time(text if "T" in text.upper() else f"{text}T00:00:00Z")
    if text is not None and value is None:
        raise Usage(f"--since: must be a time such as 2026-03-10 or 2026-03-10T06:00:00Z, is {shown(repr(text), 60)}")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="patchwright",
        description="Finds machines, deployments, workspaces and subscriptions on which patching fails, and repairs "
        "them. Everything is a dry run until you say otherwise.",
        epilog="Exit status: 0 done, 1 failed, 2 wrong usage, 3 with --fail-on-findings when findings remain.",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="log what happens, on standard error")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    command = commands.add_parser("states", help="every failure state that can be found, and how it is repaired")
    _json(command)

    command = commands.add_parser("sweep", help="look for failures and plan repairs; a dry run unless --apply")
    command.add_argument("--apply", action="store_true", help="repair what may be repaired, and verify it")
    command.add_argument("--state", nargs="*", action="extend", metavar="ID", help="only these failure states")
    command.add_argument(
        "--machine",
        nargs="*",
        action="extend",
        metavar="ID",
        help="only these machines: resource ids, or ids of what encloses them; none after it selects nothing",
    )
    command.add_argument("--from", dest="source", type=Path, metavar="DIR", help="read facts from a folder, offline")
    command.add_argument(
        "--diagnosis",
        action="append",
        metavar="ID=FILE",
        help="what a machine's diagnosis printed, ours or the JSON of Microsoft's troubleshooter; may be repeated",
    )
    command.add_argument("--html", type=Path, metavar="FILE", help="also write the plan as one self-contained page")
    command.add_argument("--fail-on-findings", action="store_true", help="exit status 3 when findings remain")
    _json(command)
    _patience(command)

    command = commands.add_parser("apply", help="apply exactly the saved plan of a run, or go on with it")
    command.add_argument("run", metavar="RUN", help="the run's id, as `runs` lists it")
    command.add_argument(
        "--finding", nargs="*", action="extend", metavar="KEY", help="only these findings: keys, or ids of their plans"
    )
    _json(command)
    _patience(command)

    command = commands.add_parser("undo", help="put back what a run changed; shows how before it does")
    command.add_argument("run", metavar="RUN", help="the run's id, as `runs` lists it")
    command.add_argument(
        "--finding", nargs="*", action="extend", metavar="KEY", help="only these findings: keys, or ids of their plans"
    )
    command.add_argument("--dry-run", action="store_true", help="show how it would be undone, and save that plan")
    command.add_argument("--yes", action="store_true", help="do not ask on a terminal")
    _json(command)
    _patience(command)

    command = commands.add_parser("runs", help="the ledger: every run, newest first")
    command.add_argument("--limit", type=int, default=_RUNS, metavar="N", help=f"how many runs ({_RUNS})")
    command.add_argument("--before", metavar="RUN", help="only runs before this one")
    _json(command)

    command = commands.add_parser("show", help="one run: findings, plans, what was done")
    command.add_argument("run", metavar="RUN", help="the run's id")
    command.add_argument("--html", type=Path, metavar="FILE", help="also write it as one self-contained page")
    _json(command)

    command = commands.add_parser("audit", help="every decision with its reason and who made it, as JSON lines")
    command.add_argument("runs", nargs="*", metavar="RUN", help="only these runs")
    command.add_argument("--since", metavar="TIME", help="only what was decided from then on, RFC 3339")

    _of_people(commands)

    command = commands.add_parser("export", help="read the facts of the estate into a folder, for `sweep --from`")
    command.add_argument("folder", type=Path, metavar="DIR", help="a folder; it is made where it is missing")

    commands.add_parser("simulate", help="the simulated Azure on loopback; see `patchwright simulate --help`")
    return parser


def _of_people(commands: argparse._SubParsersAction[_Parser]) -> None:
    """What only a person may say."""
    command = commands.add_parser("approvals", help="what waits for a person's answer")
    _json(command)

    for name, told in (
        ("approve", "say yes to a treatment that waits"),
        ("reject", "say no to a treatment that waits"),
    ):
        command = commands.add_parser(name, help=told)
        command.add_argument(
            "id", metavar="ID", help="as `approvals` lists it; or the run's id, or the beginning of the plan's"
        )
        command.add_argument("--reason", required=True, metavar="WHY", help="recorded, with who and when")
        _json(command)
        if name == "approve":
            _patience(command)

    command = commands.add_parser("pause", help="the kill switch: no step starts any more, here and in the app")
    command.add_argument("--state", metavar="ID", help="only this failure state; without it the whole app")
    command.add_argument("--reason", default="", metavar="WHY", help="recorded, and told to everyone who is stopped")
    _json(command)

    command = commands.add_parser("resume", help="lift a pause")
    command.add_argument("--state", metavar="ID", help="the pause of this failure state; without it the app's")
    command.add_argument("--queued", action="store_true", help="also go on with everything that was queued")
    command.add_argument("--reason", default="", metavar="WHY", help="recorded")
    _json(command)
    _patience(command)


def _json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="one JSON document on standard output, and nothing else")


def _patience(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--wait",
        metavar="DURATION",
        help="the longest single wait, ISO 8601; for longer ones the run is left, to be taken up later "
        "(PT15M; against the simulated Azure, whose time moves when it is told to, without end)",
    )
