"""Lines on a terminal: indented, wrapped with a hanging indent, coloured where colours are wanted.

In a pipe nothing is wrapped, so that a long line stays one line for whoever greps it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import IO, Final

from rich.console import Console
from rich.text import Text

_NARROWEST: Final = 40
_WIDEST: Final = 110
"""Longer lines are hard to read, however wide the terminal is."""
_UNWRAPPED: Final = 100_000

type Part = str | tuple[str, str]
"""Text, or text with a style. Styles are rich's; text is never markup."""


def console(file: IO[str]) -> Console:
    """A console on a stream: `NO_COLOR`, `FORCE_COLOR`, `TERM` and `COLUMNS` mean what they mean everywhere."""
    return Console(file=file, markup=False, highlight=False, emoji=False, soft_wrap=True)


class Sheet:
    """Writes lines to a console."""

    def __init__(self, out: Console) -> None:
        self._out = out
        told = os.environ.get("COLUMNS", "").isdigit()
        wraps = out.is_terminal or told
        self.width = max(_NARROWEST, min(out.width, _WIDEST)) if wraps else _WIDEST
        """How wide the layout is: headings and rules end here."""
        self._limit = self.width if wraps else _UNWRAPPED

    @classmethod
    def on_stdout(cls) -> Sheet:
        return cls(console(sys.stdout))

    def blank(self) -> None:
        self._out.print()

    def line(self, *parts: Part, indent: int = 0, hang: int = 0, bar: Part | None = None) -> None:
        """One paragraph; where it has to be wrapped, its other lines begin `hang` columns further in.

        `bar` is drawn at the left of every line, before the indent.
        """
        left = _text([bar]) if bar else Text()
        room = self._limit - len(left) - indent
        for number, wrapped in enumerate(_wrap(_text(parts), room, room - hang)):
            lead = Text(" " * (indent + (hang if number else 0)))
            self._print(left + lead + wrapped)

    def ends(self, left: Iterable[Part], right: Iterable[Part], indent: int = 0) -> None:
        """A line with something at either end; on two lines where it does not fit."""
        first, last = _text(left), _text(right)
        gap = self.width - indent - first.cell_len - last.cell_len
        if gap < 2:
            self.line(*left, indent=indent)
            self.line(*right, indent=indent)
            return
        self._print(Text(" " * indent) + first + Text(" " * gap) + last)

    def rule(self, style: str = "dim", indent: int = 0) -> None:
        self._print(Text(" " * indent) + Text("─" * (self.width - indent), style=style))

    def fits(self, *parts: Part, indent: int = 0) -> bool:
        return indent + _text(parts).cell_len <= self._limit

    def _print(self, text: Text) -> None:
        text.rstrip()
        self._out.print(text, no_wrap=True, overflow="ignore", crop=False)


def _text(parts: Iterable[Part]) -> Text:
    text = Text()
    for part in parts:
        if isinstance(part, str):
            text.append(part)
        else:
            text.append(*part)
    return text


def _wrap(text: Text, first: int, others: int) -> list[Text]:
    """Break at spaces; a word that is longer than a line is cut where the line ends, and no character is lost."""
    lines: list[Text] = []
    left = text
    while left.cell_len > (room := max(10, others if lines else first)):
        fits = _characters(left.plain, room)
        space, slash = left.plain.rfind(" ", 1, fits + 1), left.plain.rfind("/", 1, fits) + 1
        # After a word; in the middle of one only where that would leave most of the line empty, and best at a slash.
        place = space if space > fits // 3 else slash if slash > fits // 3 else fits
        head, tail = left.divide([place])
        head.rstrip()
        lines.append(head)
        left = tail if place != space else tail[1:]
    lines.append(left)
    return lines


def _characters(text: str, cells: int) -> int:
    """How many characters fit into so many columns; some take two."""
    from rich.cells import get_character_cell_size  # noqa: PLC0415 - only where something is wrapped

    used = 0
    for number, character in enumerate(text):
        used += get_character_cell_size(character)
        if used > cells:
            return max(1, number)
    return len(text)
