"""What a sweep looks for, beyond what it was asked for and no further."""

from __future__ import annotations

from datetime import timedelta

import pytest

from model.states import FailureState
from tests.builders import NOW, a_machine
from tests.engine.conftest import App

DAY = timedelta(days=1)


def a_clone_that_fails_to_start(app: App) -> str:
    """Its runs call an identity that it does not beat with: the look of a change, and the work of a clone."""
    key = app.renamed("sql-01")
    app.clones("web-09")
    app.world.becomes(a_machine("sql-01").id, "copied", NOW - DAY)
    return key


def test_a_clone_is_no_changed_identity_even_where_nobody_asked_for_clones(app: App) -> None:
    """Re-adding a machine that takes turns under a shared identity would repair nothing."""
    key = a_clone_that_fails_to_start(app)

    document = app.document(app.plan(states=[FailureState.SOURCE_ID_CHANGED]))

    assert document["findings"] == []
    (doubt,) = document["unknown"]
    assert (doubt["state"], doubt["target"]) == ("source-id-changed", key.partition(":")[2])
    assert "the machine is a clone" in doubt["missing"]


def test_without_knowing_of_clones_a_changed_identity_is_unknown(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cause that cannot be looked for may be there."""

    def stumble(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("detectors.cloned_machine.ClonedMachine.detect", stumble)
    app.renamed("sql-01")

    document = app.document(app.plan(states=[FailureState.SOURCE_ID_CHANGED]))

    assert document["findings"] == []
    assert [doubt["state"] for doubt in document["unknown"]] == ["source-id-changed"]
    assert "whether it is cloned-machine" in document["unknown"][0]["missing"]


@pytest.mark.parametrize("selection", [{"machines": []}, {"states": []}])
def test_an_empty_selection_reads_nothing(app: App, selection: dict[str, list[FailureState]]) -> None:
    app.renamed("sql-01")

    document = app.document(app.plan(**selection))

    assert (document["findings"], document["unknown"]) == ([], [])
    assert document["facts"]["requests"]["read"] == 0
