"""The estate that was written outside this project, swept by the function app."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from model.documents import Document, text_at
from simulator.fleet import load_folder
from simulator.options import Options
from simulator.serve import Simulator, running
from tests.support.parts import shared
from tests.triggers.app import UNLOCKED, objects, outcomes, the_app, writes


@pytest.fixture
def contoso() -> Iterator[Simulator]:
    with running(load_folder(shared("fleets/contoso")), options=Options(retry_after=0)) as simulator:
        yield simulator


@pytest.fixture
def expected() -> list[Document]:
    found: list[Document] = json.loads(shared("fleets/contoso/expected.json").read_text(encoding="utf-8"))["found"]
    return found


def key(expectation: Document) -> str:
    return f"{expectation['state']}:{expectation['target']}"


def test_exactly_what_is_expected_is_found_and_none_of_the_decoys(
    contoso: Simulator, expected: list[Document], tmp_path: Path
) -> None:
    """Each with a plan, or with advice where there is none; of the states that the estate's author speaks about."""
    with the_app(contoso, tmp_path / "ledger.sqlite", {"PATCHWRIGHT_MODES": "{}"}) as app:
        run = app.swept(states=[*sorted({text_at(one, "state") for one in expected})])

    assert {text_at(finding, "key") for finding in objects(run, "findings")} == {key(one) for one in expected}
    planned = {text_at(plan, "finding") for plan in objects(run, "plans")}
    assert planned == {key(one) for one in expected if one["then"] == "plan"}
    advised = {text_at(advice, "finding") for advice in objects(run, "advice")}
    assert advised == {key(one) for one in expected if one["then"] == "advice"}
    assert writes(contoso) == []


def test_everything_that_has_a_plan_is_repaired(contoso: Simulator, expected: list[Document], tmp_path: Path) -> None:
    """The plans of a dry run, applied by a person, verified by the detectors that found the failures."""
    with the_app(contoso, tmp_path / "ledger.sqlite", {**UNLOCKED, "PATCHWRIGHT_MODES": '{"*": "act"}'}) as app:
        run = app.swept()
        app.post(f"/runs/{run['id']}/apply")
        app.finish()
        done = outcomes(app.run(str(run["id"])))

    repaired = {finding for finding, outcome in done.items() if outcome == "remediated"}
    assert repaired == {key(one) for one in expected if one["then"] == "plan"}
