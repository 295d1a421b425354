"""The run document, where the ledger holds less than a whole run."""

from __future__ import annotations

from engine.ports import Entry
from engine.run_document import run_document
from tests.builders import NOW


def test_a_run_of_which_only_a_line_survived_is_no_run() -> None:
    """The first line says what was asked for; without it there is nothing to show and nothing to apply."""
    assert run_document([]) is None
    assert (
        run_document([Entry(run="r", id="status:running", kind="status", at=NOW, body={"status": "running"})]) is None
    )


def test_a_run_that_was_only_asked_for_is_running() -> None:
    header = Entry(run="r", id="run", kind="run", at=NOW, body={"trigger": "http", "dryRun": True})

    document = run_document([header])

    assert document is not None
    assert (document["id"], document["trigger"], document["mode"], document["status"]) == (
        "r",
        "http",
        "dry-run",
        "running",
    )
