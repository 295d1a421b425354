"""The API keeps its word: whatever it is sent, it answers as its description says, never with a failure of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from schemathesis.core.failures import FailureGroup

from simulator.fleets import sample
from simulator.options import Options
from simulator.serve import running
from tests.security.fuzzing import fuzz, operations
from tests.triggers.app import UNLOCKED, App, the_app
from triggers.openapi import document

EXAMPLES = 8
"""Requests to each operation: enough to notice a broken description; `make fuzz` sends more."""


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    with (
        running(sample(), options=Options(retry_after=0)) as azure,
        the_app(azure, tmp_path / "ledger.sqlite", UNLOCKED) as app,
    ):
        yield app


def test_every_operation_answers_as_it_is_described(app: App) -> None:
    """Requests that the description allows and others, at an app that may act: no 5xx, and nothing undescribed."""
    run = app.swept(states=["maintenance-window-exceeded"])

    asked = operations()
    for operation in asked.values():
        fuzz(app, operation, [str(run["id"])], examples=EXAMPLES)
        app.finish()

    served = document()["paths"]
    assert isinstance(served, dict)
    assert len(asked) >= len(served)


def test_an_answer_that_is_not_described_would_be_found(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, where the description has forgotten 404."""
    described = json.loads(json.dumps(document()).replace('"404": {"$ref"', '"418": {"$ref"'))
    monkeypatch.setattr("tests.security.fuzzing.document", lambda: described)

    with pytest.raises(FailureGroup, match="Undocumented status code"):
        fuzz(app, operations()["get_run"], ["nobody"], examples=EXAMPLES)
