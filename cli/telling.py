"""What a process does, told while it does it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final

from cli.hands import Failed
from cli.progress import ProgressLine
from cli.shown import in_future
from cli.story import StoryLine, story
from cli.view import run_view
from model.documents import Document, Json, text_at
from model.times import format_time

if TYPE_CHECKING:
    from cli.sheet import Sheet
    from engine.engine import Engine

_DOING: Final = {
    "survey": "reading the estate",
    "open_undo": "reading what is there now",
    "second_look": "looking again before anything is changed",
    "verify": "looking whether it helped",
}


class Teller:
    """Tells what a process does while it does it: the plan once it is made, then a line for each thing done."""

    def __init__(self, engine: Engine, run: str, progress: ProgressLine, *, quiet: bool) -> None:
        """`quiet` tells nothing but progress: the answer is one document, at the end."""
        self.run, self.progress = run, progress
        self._engine, self._quiet = engine, quiet
        self._planned: Document = {}
        self._told: Counter[StoryLine] = Counter()
        self._last: StoryLine | None = None
        self._began = time.monotonic()

    @cached_property
    def _paper(self) -> Sheet:
        # Whoever wants JSON does not wait for the terminal's library.
        from cli.sheet import Sheet  # noqa: PLC0415

        return Sheet.on_stdout()

    @property
    def sheet(self) -> Sheet:
        self.progress.clear()
        return self._paper

    def activities(self) -> Mapping[str, Callable[[Document], Document]]:
        """The engine's activities, each followed by what there is to tell of it."""
        return {name: partial(self._do, name, activity) for name, activity in self._engine.activities.items()}

    def begin_apply(self, document: Document, only: int | None = None) -> None:
        """The header of an apply, whose plan was shown when it was made, and whose earlier tries are told already.

        `only` is how many of its repairs are meant, where not all are.
        """
        self._planned = {**document, "mode": "apply"}
        self._told = Counter(story(document))
        if not self._quiet:
            from cli.terminal import write_apply_header  # noqa: PLC0415

            write_apply_header(self.sheet, run_view(document), only)

    def end(self, document: Document, due: timedelta | None, follow: tuple[tuple[str, str], ...]) -> None:
        """The rest of the story, the summary, and what to do next."""
        from cli.terminal import write_next, write_summary  # noqa: PLC0415

        view = run_view(document)
        self._tell(view.story)
        write_summary(self.sheet, view)
        if due is not None:
            again = f"patchwright apply {self.run}"
            follow = ((f"The next look is due in {in_future(due)}; then take the run up again:", again),)
        write_next(self.sheet, *follow)

    def _do(self, name: str, activity: Callable[[Document], Document], given: Document) -> Document:
        if what := _DOING.get(name):
            self.progress(what)
        answer = activity(given)
        if self._quiet:
            return answer
        match name:
            case "survey" | "open_undo" if answer.get("wait") is None:
                self._survey()
            case "step" | "settle":
                self._tell(self._news(text_at(given, "finding")))
            case "second_look" | "verify":
                self._tell(self._news(None))
            case _:
                pass
        return answer

    def _survey(self) -> None:
        from cli.terminal import write_findings, write_header  # noqa: PLC0415

        self._planned = document_of(self._engine, self.run)
        view = run_view(self._planned, time.monotonic() - self._began)
        write_header(self.sheet, view, live=True)
        write_findings(self.sheet, view)
        self._told = Counter(view.story)

    def _news(self, finding: str | None) -> tuple[StoryLine, ...]:
        """The story of one finding, or how any of them ended: what was planned is known, and is not read again."""
        kinds = frozenset({"outcome"} if finding is None else {"step", "outcome"})
        entries = self._engine.ledger.entries(self.run, about=finding, kinds=kinds)
        steps: list[Json] = [{**entry.body, "at": format_time(entry.at)} for entry in entries if entry.kind == "step"]
        ended: dict[str, Json] = {e.about: {**e.body, "at": format_time(e.at)} for e in entries if e.kind == "outcome"}
        return story({**self._planned, "steps": steps, "outcomes": list(ended.values())})

    def _tell(self, lines: tuple[StoryLine, ...]) -> None:
        from cli.terminal import write_story  # noqa: PLC0415

        # Lines are values: what was told before is not told again, wherever in the story it stands now.
        if new := list((Counter(lines) - self._told).elements()):
            self._told += Counter(new)
            if self._last is None:
                self.sheet.blank()
            self._last = write_story(self.sheet, new, self._last)


def document_of(engine: Engine, run: str) -> Document:
    """The document of a run that was begun. Raises `Failed` where the ledger lost it."""
    document = engine.document(run)
    if document is None:
        raise Failed(f"run {run} left no record")
    return document
