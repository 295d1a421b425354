"""`states`: what can be found, how it is repaired, and how far Patchwright may go now."""

from __future__ import annotations

import contextlib
import sys

from cli.arguments import States
from cli.estate import engine_for, settings_without_estate
from cli.hands import Failed, Hands
from cli.output import print_json
from cli.progress import ProgressLine
from cli.shown import shown
from engine.catalogue import Catalogue
from engine.ports import AzureUnavailable, LedgerUnreadable, PermissionMissing
from engine.settings import Settings
from model.documents import Document


def states(command: States, hands: Hands) -> int:
    settings = settings_without_estate()
    entries = _entries(hands, settings)
    if command.json:
        print_json({"states": [*entries]})
        return 0
    from cli.lists import write_states  # noqa: PLC0415 - not for those who want JSON
    from cli.sheet import Sheet  # noqa: PLC0415

    write_states(Sheet.on_stdout(), entries)
    return 0


def _entries(hands: Hands, settings: Settings) -> list[Document]:
    """The catalogue needs no ledger; without one it only cannot be told what is paused."""
    try:
        engine = engine_for(hands, settings, ProgressLine())
        with contextlib.closing(engine.ledger):
            return engine.states()
    except (Failed, LedgerUnreadable, AzureUnavailable, PermissionMissing) as error:
        sys.stderr.write(f"patchwright: whether anything is paused cannot be told: {shown(str(error), 400)}\n")
        return Catalogue.of(settings).entries()
