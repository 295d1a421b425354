"""Diagnoses that a person has at hand: files named on the command line, and those in a folder of facts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cli.hands import Failed
from model.documents import Json

MOST: Final = 4 * 1024 * 1024
"""Bytes of a file that is read at all; a troubleshooter prints some twenty thousand."""


def kept_diagnoses(named: Iterable[tuple[str, Path]]) -> dict[str, str]:
    """The text of each file, by the machine's id. What it says is judged with everything else.

    Raises:
        Failed: a file cannot be read.
    """
    return {machine: _text(file) for machine, file in named}


def kept_in(folder: Path | None) -> dict[str, str]:
    """What `guest/*.json` of a folder says under `diagnosis`: text as it was printed, or a troubleshooter's list.

    An object of rules there describes a simulated guest, and is nobody's diagnosis.
    """
    kept: dict[str, str] = {}
    for file in sorted((folder / "guest").glob("*.json")) if folder else ():
        try:
            guests: Json = json.loads(_text(file))
        except (ValueError, RecursionError) as error:
            raise Failed(f"{file}: is not JSON: {error!s:.80}") from error
        for machine, guest in guests.items() if isinstance(guests, dict) else ():
            match guest.get("diagnosis") if isinstance(guest, dict) else None:
                case str() as text:
                    kept[machine.lower()] = text
                case list() as records:
                    kept[machine.lower()] = json.dumps(records)
                case _:
                    pass
    return kept


def _text(file: Path) -> str:
    """The file as text: PowerShell writes UTF-16 with a mark, others UTF-8 with or without one."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST + 1)
    except OSError as error:
        raise Failed(f"{file} cannot be read: {error.strerror or error}") from error
    if len(content) > MOST:
        raise Failed(f"{file} is larger than {MOST // 1024**2} MB, and no diagnosis")
    encoding = "utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    return content.decode(encoding, "replace")
