"""What a step of a run costs does not grow with the number of the run's plans."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.conftest import App
from tests.engine.fakes import MemoryLedger


def test_a_step_asks_for_no_plans_but_those_of_its_wave(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plans of five hundred machines are megabytes, and a run has thousands of steps."""
    app.all_renamed([f"sql-{n}" for n in range(6)])
    asked: list[bool] = []
    entries, step = MemoryLedger.entries, app.engine.activities["step"]

    def watched(ledger: MemoryLedger, run: str, *, about: str | None = None, kinds: Any = None) -> Any:
        asked.append(about is None and (kinds is None or "plan" in kinds))
        return entries(ledger, run, about=about, kinds=kinds)

    def stepped(given: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(MemoryLedger, "entries", watched)
            return step(given)

    run = app.sweep(activities={**app.activities, "step": stepped})

    assert set(app.outcomes(run).values()) == {"remediated"}
    assert asked
    assert not any(asked)
