"""Microsoft's own sample alerts, posted as an action group would post them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.triggers.app import App
from tests.triggers.payloads import read, samples


@pytest.mark.parametrize("file", samples("full"))
def test_every_sample_alert_of_microsofts_is_taken(shared: App, file: Path) -> None:
    """None is about this estate or one of its states: 200, with the reason."""
    answer = shared.post("/alerts", read(file))

    assert answer.status == 200
    assert answer.json["started"] is False


@pytest.mark.parametrize("file", samples("context-only"))
def test_a_sample_without_its_envelope_is_refused_by_the_place(shared: App, file: Path) -> None:
    """The documentation prints some contexts alone; nobody sends them so."""
    answer = shared.post("/alerts", read(file))

    assert (answer.status, answer.field) == (400, "schemaId")
