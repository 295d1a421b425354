"""Taking up plans that were saved: a person applies them, or said yes to one that waited."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.approvals import Approvals
from engine.journal import Journal, Line
from engine.settings import Settings
from engine.waves import waves
from model.documents import Document, Json, text_at
from model.plans import Treatment


@dataclass(frozen=True, slots=True, kw_only=True)
class Applying:
    """Nothing is decided here: the second look does that."""

    settings: Settings
    journal: Journal
    approvals: Approvals

    def accept(self, run: str, attempt: str, findings: Sequence[str] | None, by: str) -> None:
        """Write down that the saved plan of a run is to be applied, before the process starts."""
        self.journal.record(
            run,
            Line(f"apply:{attempt}", "apply", {"by": by, "findings": None if findings is None else list(findings)}),
            Line(f"status:{attempt}", "status", {"status": "running"}),
        )

    def open(self, document: Document) -> Document:
        """Take up the saved plan of a run, or the named findings of it."""
        run, attempt = text_at(document, "run"), text_at(document, "attempt")
        wanted = document.get("findings")
        named = [key for key in wanted if isinstance(key, str)] if isinstance(wanted, list) else None
        by = text_at(document, "by")
        self.accept(run, attempt, named, by)
        left_out = self.approvals.overtaken(run, attempt, by, frozenset(named or ()))
        treatments = [
            treatment
            for treatment in self.journal.saved(run).values()
            if not isinstance(wanted, list) or treatment.plan.finding.key in wanted
        ]
        applied = {entry.about for entry in self.journal.ledger.entries(run, kinds=frozenset({"applied"}))}
        open_ones = [t for t in treatments if t.plan.finding.key not in applied | left_out]
        # What was begun is finished first: the other plans were made from a world without half a treatment in it.
        begun = self.journal.under_way(run)
        halves = [t for t in open_ones if t.plan.finding.key in begun]
        others = [t for t in open_ones if t.plan.finding.key not in begun]
        return {"waves": [*self._waves(halves), *self._waves(others)], "attempt": attempt, "byPerson": True}

    def take_up(self, document: Document) -> Document:
        """What was approved goes on; what was rejected, or answered by nobody in time, ends."""
        run = text_at(document, "run")
        approved = self.approvals.take_up(run, text_at(document, "by"))
        saved = self.journal.saved(run) if approved else {}
        return {"waves": self._waves(saved[key] for key in approved)}

    def _waves(self, treatments: Iterable[Treatment]) -> list[Json]:
        return waves(treatments, self.settings.largest_wave)
