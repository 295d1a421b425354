"""What the command line is given: it knows the engine, and leaves Azure and its simulation to whoever calls it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.ports import Progress
    from engine.settings import Settings


class Build(Protocol):
    """Makes an engine that reaches the configured cloud.

    Raises:
        ValueError: a setting that only the adapters understand is wrong.
        engine.ports.LedgerUnreadable: the ledger cannot be used as it is.
    """

    def __call__(self, settings: Settings, *, progress: Progress) -> Engine: ...


class Simulate(Protocol):
    """Serves the simulated Azure until a signal; answers the exit status."""

    def __call__(self, argv: Sequence[str]) -> int: ...


class Written(Protocol):
    """What an export wrote."""

    @property
    def documents(self) -> int: ...

    @property
    def rows(self) -> int: ...

    @property
    def missing(self) -> tuple[str, ...]:
        """In words, what could not be read; empty where the folder is complete."""
        ...


class Export(Protocol):
    """Writes the facts of the configured estate into a folder. Raises `OSError` where it cannot be written."""

    def __call__(self, settings: Settings, folder: Path, progress: Progress) -> Written: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """Everything that the composition root hands in."""

    build: Build
    simulate: Simulate
    export: Export


class Usage(Exception):
    """The command was called wrongly; nothing was done. Exit status 2."""


class Failed(Exception):
    """The command could not do what it was asked for; the message says why. Exit status 1."""
