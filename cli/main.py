"""The command line's entrance: one place for exit statuses and for what is told when something goes wrong."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Sequence
from typing import Final, assert_never

from cli.arguments import (
    Answer,
    Apply,
    Approvals,
    Audit,
    Command,
    ExportTo,
    Pause,
    Resume,
    Runs,
    Show,
    Simulated,
    States,
    Sweep,
    Undo,
    parse,
)
from cli.hands import Build, Export, Failed, Hands, Simulate, Usage
from cli.interrupt import Terminated, end_now, listen
from cli.shown import shown

log = logging.getLogger("patchwright")

_USAGE: Final = 2
_FAILED: Final = 1
_INTERRUPTED: Final = 130
_TERMINATED: Final = 143


def main(argv: Sequence[str], *, build: Build, simulate: Simulate, export: Export) -> int:
    """Carry out one command; answers the exit status. Everything that is said about errors goes to standard error."""
    # What somebody called a machine must not break the output, whatever the terminal can write.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    listen()
    _logging(verbose=bool({"-v", "--verbose"} & set(argv[:1])))
    try:
        status = _carry_out(parse(argv), Hands(build=build, simulate=simulate, export=export))
        # Here, and not when Python ends: whoever read the output may have gone.
        sys.stdout.flush()
    except Usage as error:
        _say(str(error))
        return _USAGE
    except Failed as error:
        _say(str(error))
        return _FAILED
    except KeyboardInterrupt as error:
        _say("interrupted; `patchwright runs` lists the run with what was done until then")
        end_now(_TERMINATED if isinstance(error, Terminated) else _INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`); Python must not complain about it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
    except Exception as error:
        # Nothing that a reader could act on; whoever looks for the cause asks for the log.
        log.info("unexpected", exc_info=True)
        _say(f"{type(error).__name__}: {error}\nThis should not have happened; with -v the log says where it did.")
        return _FAILED
    else:
        return status


def _carry_out(command: Command, hands: Hands) -> int:
    # Each command's module is imported by whoever needs it: help should not wait for an engine.
    match command:
        case States():
            from cli.catalogue import states  # noqa: PLC0415

            return states(command, hands)
        case Sweep():
            from cli.sweeping import sweep  # noqa: PLC0415

            return sweep(command, hands)
        case Apply():
            from cli.sweeping import apply  # noqa: PLC0415

            return apply(command, hands)
        case Undo():
            from cli.undoing import undo  # noqa: PLC0415

            return undo(command, hands)
        case Runs():
            from cli.ledger import runs  # noqa: PLC0415

            return runs(command, hands)
        case Show():
            from cli.ledger import show  # noqa: PLC0415

            return show(command, hands)
        case Audit():
            from cli.ledger import audit  # noqa: PLC0415

            return audit(command, hands)
        case Approvals() | Answer() | Pause() | Resume():
            from cli.people import said  # noqa: PLC0415

            return said(command, hands)
        case ExportTo():
            from cli.exporting import export  # noqa: PLC0415

            return export(command, hands)
        case Simulated():
            return hands.simulate(command.argv)
        case _:
            assert_never(command)


def _say(message: str) -> None:
    lines = [shown(line, 2_000) for line in message.splitlines()]
    sys.stderr.write("patchwright: " + "\n".join(lines) + "\n")


def _logging(*, verbose: bool) -> None:
    # What matters to a reader is in the run; the log is for whoever looks for a cause.
    if verbose:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
        logging.getLogger("azure").setLevel(logging.WARNING)
    else:
        logging.getLogger().addHandler(logging.NullHandler())
