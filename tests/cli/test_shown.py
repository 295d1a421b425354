"""Text from outside is fit to be looked at, and nothing of it is lost where lines are broken."""

from __future__ import annotations

import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from cli.sheet import Sheet
from cli.shown import pieces, short_id, short_path, shown

ANYTHING = st.text(max_size=200)
SUBSCRIPTION = "/subscriptions/d9f78f40-9ae0-5f2c-86db-354fa0ded010"
ACCOUNT = f"{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Automation/automationAccounts/aa"


@given(ANYTHING)
def test_what_is_shown_is_one_line_of_visible_characters(text: str) -> None:
    """No control character, line break, direction mark or unassigned character reaches a terminal."""
    kinds = {unicodedata.category(character) for character in shown(text)}

    assert not kinds & {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"}


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S"]), max_size=200))
def test_ordinary_text_is_shown_as_it_is(text: str) -> None:
    """Letters of any script, digits and signs."""
    assert shown(text) == text


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=300), st.integers(40, 110))
def test_a_line_is_never_wider_than_the_terminal_and_loses_no_character(text: str, width: int) -> None:
    out = io.StringIO()
    sheet = Sheet(Console(file=out, width=width, force_terminal=True, color_system=None, markup=False, highlight=False))

    sheet.line(text, indent=5, hang=3, bar=("  │ ", ""))

    lines = out.getvalue().split("\n")[:-1]
    assert all(cell_len(line) <= width for line in lines)
    written = "".join(line.removeprefix("  │") for line in lines)
    assert "".join(written.split()) == "".join(text.split())


@given(st.lists(st.sampled_from(["a", "bb", '"x-1"', ", ", " | ", "where"]), max_size=30), st.data())
def test_two_texts_can_be_read_from_their_difference(words: list[str], data: st.DataObject) -> None:
    """What goes stood in the old text, what comes stands in the new one, and there is something where they differ."""
    place = data.draw(st.integers(0, len(words)))
    before, after = "".join(words), "".join([*words[:place], '"new-id"', *words[place:]])

    told = pieces(before, after)

    assert all(piece.text in after for piece in told if piece.kind == "new")
    assert all(piece.text in before for piece in told if piece.kind == "gone")
    assert any("new-id" in piece.text for piece in told if piece.kind == "new")


@pytest.mark.parametrize(
    ("resource_id", "short"),
    [
        (
            f"{SUBSCRIPTION}/resourceGroups/rg-app/providers/Microsoft.Compute/virtualMachines/app-02",
            "d9f78f40…/rg-app/virtualMachines/app-02",
        ),
        (SUBSCRIPTION, "d9f78f40…"),
        ("name:web-01", "name:web-01"),
        ("not an id\n", "not an id\\n"),
    ],
)
def test_an_id_is_shortened_to_what_tells_it_from_others(resource_id: str, short: str) -> None:
    assert short_id(resource_id) == short


@pytest.mark.parametrize(
    ("path", "short"),
    [
        (
            f"{SUBSCRIPTION}/providers/Microsoft.Automation/register",
            "/subscriptions/d9f78f40…/providers/Microsoft.Automation/register",
        ),
        (
            f"{ACCOUNT}/softwareUpdateConfigurations/Weekly",
            "…/softwareUpdateConfigurations/Weekly",
        ),
    ],
)
def test_a_path_keeps_what_the_request_is_about(path: str, short: str) -> None:
    assert short_path(path) == short
