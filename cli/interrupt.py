"""Ctrl-C ends a command now, and not when the last request has been answered."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Final, NoReturn


class Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM)."""


_asked: Final[list[type[KeyboardInterrupt]]] = []
"""How the process was asked to end: kept, because what a handler raises is lost where Python was in a callback."""
_LOOK: Final = 0.2
"""Seconds between two looks whether an exception was lost so."""


def listen() -> None:
    """From here on SIGTERM is told apart from Ctrl-C and ends a command in the same way; neither is lost."""
    signal.signal(signal.SIGINT, _interrupted)
    signal.signal(signal.SIGTERM, _terminated)


def interruptible[T](work: Callable[[], T]) -> T:
    """The result of `work`, done in another thread: this one stays free to be interrupted.

    Raises whatever `work` raises, and `KeyboardInterrupt` at once, while `work` goes on until the process ends.
    """
    done: list[T] = []
    broke: list[BaseException] = []

    def carry_out() -> None:
        try:
            done.append(work())
        except BaseException as error:
            broke.append(error)

    thread = threading.Thread(target=carry_out, name="process", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_LOOK)
        if _asked:
            raise _asked[0]
    if broke:
        raise broke[0]
    return done[0]


def end_now(status: int) -> NoReturn:
    """End without waiting for requests under way: what they change is safe to repeat, and is looked at again."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _interrupted(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - what a handler is given
    _asked.append(KeyboardInterrupt)
    raise KeyboardInterrupt


def _terminated(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - as above
    _asked.append(Terminated)
    raise Terminated
