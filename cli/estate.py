"""An engine for a command, with the settings of the environment or of a folder."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cli.hands import Failed, Hands
from cli.offline import served
from cli.progress import ProgressLine
from engine.ports import LedgerUnreadable
from engine.settings import InvalidSettings, Settings

if TYPE_CHECKING:
    from engine.engine import Engine

_OFFLINE: Final = Path(".patchwright") / "offline"
"""Each sweep of a folder has a ledger of its own here: its times and its claims are not those of the estate."""
_RUN: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,99}", re.ASCII)
_NOWHERE: Final = {
    "PATCHWRIGHT_SUBSCRIPTIONS": "00000000-0000-0000-0000-000000000000",
    "PATCHWRIGHT_AUTOMATION_ACCOUNTS": "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/none"
    "/providers/Microsoft.Automation/automationAccounts/none",
    "PATCHWRIGHT_WORKSPACES": "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/none"
    "/providers/Microsoft.OperationalInsights/workspaces/none",
}
"""An estate for commands that look at none: what else is set still counts, and is still checked."""


def settings_from(env: Mapping[str, str]) -> Settings:
    """Raises `Failed` with every problem, a line each."""
    try:
        return Settings.from_env(env)
    except InvalidSettings as error:
        raise Failed("the settings are wrong:\n" + "\n".join(f"  {problem}" for problem in error.problems)) from error


def settings_without_estate() -> Settings:
    """The settings for a command that needs no estate, whether or not one is set."""
    return settings_from({**_NOWHERE, **{name: value for name, value in os.environ.items() if value.strip()}})


def engine_for(hands: Hands, settings: Settings, progress: ProgressLine) -> Engine:
    """Raises `Failed` where it cannot be built."""
    try:
        return hands.build(settings, progress=progress)
    except (ValueError, LedgerUnreadable) as error:
        raise Failed(str(error)) from error


@contextlib.contextmanager
def offline_engine(hands: Hands, folder: Path, run: str, progress: ProgressLine) -> Iterator[Engine]:
    """An engine that reads a folder, with a ledger for this one run."""
    progress(f"loading {folder}")
    with served(folder) as given:
        ledger = _OFFLINE / f"{run}.sqlite"
        # What the inside of a simulated machine would say is nothing that the folder knows.
        fixed = {"DRY_RUN": "true", "PATCHWRIGHT_PROBE": "never", "PATCHWRIGHT_LEDGER": f"sqlite:{ledger}"}
        settings = settings_from({**os.environ, **given, **fixed})
        engine = engine_for(hands, settings, progress)
        try:
            yield engine
        finally:
            engine.ledger.close()


def ledger_of(run: str) -> str | None:
    """The ledger of an offline run, or None where the run is not one."""
    file = _OFFLINE / f"{run}.sqlite"
    return f"sqlite:{file}" if _RUN.fullmatch(run) and file.is_file() else None


def offline_runs() -> list[str]:
    """Ids of the offline runs, newest first."""
    return sorted((file.stem for file in _OFFLINE.glob("*.sqlite")), reverse=True) if _OFFLINE.is_dir() else []
