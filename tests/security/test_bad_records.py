"""A ledger that somebody edited, or that a newer version wrote: a clear answer at the door, and nothing applied.

Other bad input has its tests where it is decided: an approval for another plan (`engine/test_approvals.py`), an unknown
run and an undo of an undo (`triggers/test_undo.py`), a clock that went backwards (`engine/test_leases.py`), a row of a
newer version in either store (`ledgers/`).
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from simulator.fleets import sample
from simulator.options import Options
from simulator.serve import running
from tests.triggers.app import UNLOCKED, the_app, writes

EDITS = {
    "the plan says more than was recorded": ("UPDATE entries SET body = replace(body, 'PT3H', 'PT6H')", 409, "changed"),
    "the plan is about another deployment": (
        "UPDATE entries SET body = replace(body, 'Weekly-backup-01', 'Weekly-erp-01')",
        409,
        "changed",
    ),
    "the plan's step is of a kind that nobody knows": (
        "UPDATE entries SET body = replace(body, 'PutDeployment', 'DeleteDeployment')",
        None,
        "",
    ),
    "a row is no JSON": ("UPDATE entries SET body = 'x' || body", None, ""),
    "a newer version wrote it": ("UPDATE schema_version SET version = 99", 503, "ledger"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_ledger_that_was_changed_by_hand_is_told_and_nothing_is_applied(edit: str, tmp_path: Path) -> None:
    statement, status, says = EDITS[edit]
    file = tmp_path / "ledger.sqlite"
    with running(sample(), options=Options(retry_after=0)) as azure:
        with the_app(azure, file, UNLOCKED) as app:
            run = str(app.swept(states=["maintenance-window-exceeded"])["id"])
        with closing(sqlite3.connect(file)) as ledger:
            assert ledger.execute(statement).rowcount > 0
            ledger.commit()

        with the_app(azure, file, UNLOCKED) as app:
            applied = app.post(f"/runs/{run}/apply")
            app.finish()
            listed = app.get("/runs")

        assert applied.status == status if status else applied.status in {409, 500, 503}
        assert says in applied.text
        assert "Traceback" not in applied.text + listed.text
        assert writes(azure) == []
