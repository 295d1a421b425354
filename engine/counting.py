"""How many requests left the process for a run, as its document reports them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from engine.journal import Journal, Line
from engine.ports import RequestCount
from model.documents import Document, text_at


class Counted(Protocol):
    """A part that sends requests and counts them."""

    @property
    def requests(self) -> RequestCount: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """The requests of every part together."""

    journal: Journal
    parts: tuple[Counted, ...]

    def so_far(self) -> RequestCount:
        """Since the parts were built, for whichever run."""
        counts = [part.requests for part in self.parts]
        return RequestCount(
            read=sum(count.read for count in counts),
            probe=sum(count.probe for count in counts),
            write=sum(count.write for count in counts),
        )

    def record(self, run: str, before: RequestCount) -> None:
        """Write down what was sent since `before`."""
        now = self.so_far()
        body: Document = {
            "read": now.read - before.read,
            "probe": now.probe - before.probe,
            "write": now.write - before.write,
        }
        self.journal.record(run, Line(f"requests:{uuid.uuid4().hex}", "requests", body))

    def counted(self, activity: Callable[[Document], Document]) -> Callable[[Document], Document]:
        """The same activity, with what it sends written down for its run."""

        def counting(document: Document) -> Document:
            before = self.so_far()
            answer = activity(document)
            self.record(text_at(document, "run"), before)
            return answer

        return counting
