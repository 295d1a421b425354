"""`states`: what can be found, and how it is repaired."""

from __future__ import annotations

from cli.arguments import States
from cli.estate import settings_without_estate
from cli.output import print_json
from engine.catalogue import Catalogue


def states(command: States) -> int:
    entries = Catalogue.of(settings_without_estate()).entries()
    if command.json:
        print_json({"states": list(entries)})
        return 0
    from cli.lists import write_states  # noqa: PLC0415 - not for those who want JSON
    from cli.sheet import Sheet  # noqa: PLC0415

    write_states(Sheet.on_stdout(), entries)
    return 0
