"""What an operator reads of each failure state, to the letter: finding, evidence, plan or advice, verdict.

`make golden` writes the files anew; what changed is to be read, not only to be accepted.
"""

from __future__ import annotations

import pytest

from model.states import FailureState
from tests.golden.estates import ESTATES, INSIDE
from tests.golden.telling import FOLDER, golden, told


def test_every_failure_state_has_its_story_and_no_story_is_left_over() -> None:
    assert ESTATES.keys() == set(FailureState)
    assert {file.stem for file in FOLDER.glob("*.txt")} == {state.value for state in FailureState}


@pytest.mark.parametrize("state", ESTATES, ids=lambda state: state.value)
def test_the_terminal_prints_what_is_written_down(state: FailureState) -> None:
    assert told(state, ESTATES[state](), INSIDE.get(state)) == golden(state).read_text(encoding="utf-8")


@pytest.mark.parametrize("state", ESTATES, ids=lambda state: state.value)
def test_a_story_is_told_of_one_state_only(state: FailureState) -> None:
    """And it is found there: a story that turned into a doubt would be no story."""
    text = golden(state).read_text(encoding="utf-8")
    headings = [line.split()[0] for line in text.splitlines() if line.endswith((" finding", " findings"))]
    assert headings == [state.value]
