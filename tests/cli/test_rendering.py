"""A run on a terminal and on a page, whatever text is in it."""

from __future__ import annotations

import io
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from cli.page import page
from cli.sheet import Sheet
from cli.terminal import write_run
from cli.view import run_view
from model.documents import Document, Json
from tests.cli.documents import KEY, a_run, done
from tests.cli.estates import HOSTILE

SURROGATES = st.characters(categories=["Cs"])
ANYTHING = st.text(st.characters() | SURROGATES, max_size=80) | st.just(HOSTILE)
HOLD: Document = {"kind": "hold", "guardrail": "mode", "reason": "only observed", "until": "2026-03-11T00:00:00Z"}
REFUSE: Document = {"kind": "refuse", "guardrail": "scope", "reason": "outside", "until": None}


def on_a_terminal(document: Document, width: int = 80) -> str:
    """As plain text, without colours."""
    out = io.StringIO()
    terminal = Console(file=out, width=width, force_terminal=True, color_system=None, markup=False, highlight=False)
    write_run(Sheet(terminal), run_view(document))
    return out.getvalue()


@given(ANYTHING)
def test_no_text_makes_a_terminal_do_anything(text: str) -> None:
    """Only line breaks of our own reach it: no escape, no bell, no reversed writing, no half a character."""
    shown = on_a_terminal(a_run(text))

    kinds = {unicodedata.category(character) for character in shown if character != "\n"}
    assert not kinds & {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"}


@given(ANYTHING)
def test_no_text_makes_a_page_do_anything(text: str) -> None:
    """The page is made of our own elements only, and needs nothing from anywhere."""
    elements = Elements()
    elements.feed(page(a_run(text)))

    assert elements.names <= OURS
    assert not elements.attributes & {"src", "href", "onclick", "onload", "onerror", "style"}


OURS = frozenset(
    {
        *("html", "head", "meta", "title", "style", "body", "header", "main", "section", "article", "div", "span"),
        *("h1", "h2", "h3", "p", "ol", "ul", "li", "dl", "dt", "dd", "strong", "ins", "del", "br"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    }
)


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_the_page_forbids_itself_everything_from_outside() -> None:
    assert "default-src 'none'" in page(a_run())


@pytest.mark.parametrize(
    ("document", "summary"),
    [
        (a_run(), "1 finding: 1 planned, 1 unknown"),
        (a_run(verdict=HOLD), "1 finding: 1 held, 1 unknown"),
        (a_run(verdict=REFUSE), "1 finding: 1 refused, 1 unknown"),
        (a_run(outcome="remediated", unknown=[]), "1 finding: 1 remediated, 0 unknown"),
        (a_run(outcome="failed"), "1 finding: 1 failed, 1 unknown"),
        (a_run(findings=[], plans=[]), "0 findings, 1 unknown"),
        (a_run(findings=[], plans=[], unknown=[]), "Nothing was found"),
        # A run that nobody finished is no clean bill.
        (a_run(findings=[], plans=[], unknown=[], status="failed", error="interrupted"), "failed: interrupted"),
        (a_run(findings=[], plans=[], unknown=[], status="running"), "running"),
        (a_run(plans=[], advice=[{"finding": KEY, "summary": "s", "steps": []}]), "1 finding: 1 needs you, 1 unknown"),
        # Nothing to plan and nothing to advise: it is reported all the same.
        (a_run(plans=[]), "1 finding: 1 observed, 1 unknown"),
    ],
)
def test_a_run_is_summed_up_in_a_line(document: Document, summary: str) -> None:
    assert on_a_terminal(document).splitlines()[-1] == summary


def test_a_verdict_says_who_holds_it_why_and_until_when() -> None:
    assert "◆ held until Wed 11 Mar 00:00 UTC by mode: only observed" in on_a_terminal(a_run(verdict=HOLD), 110)
    assert "✘ refused by scope: outside" in on_a_terminal(a_run(verdict=REFUSE), 110)


def test_what_was_applied_and_not_yet_verified_is_waiting() -> None:
    """Also where the record of the dry run still says that it was only observed."""
    steps: list[Json] = [done(0, "2026-03-10T06:01:00Z"), done(1, "2026-03-10T06:02:00Z")]

    shown = on_a_terminal(a_run(outcome="observed", steps=steps, unknown=[]), 110)

    assert "waiting: applied; the verifying look is due Thu 12 Mar 02:30 UTC" in shown
    assert shown.splitlines()[-1] == "1 finding: 1 waiting, 0 unknown"


def test_a_second_try_that_is_not_over_is_not_the_first_one_s_success() -> None:
    """The steps of a try count for that try only."""
    steps: list[Json] = [
        done(0, "2026-03-12T04:00:00Z"),
        done(1, "2026-03-12T04:01:00Z"),
        done(0, "2026-03-12T05:00:00Z", 1),
    ]

    shown = on_a_terminal(a_run(outcome="failed", steps=steps, unknown=[]))

    assert shown.splitlines()[-1] == "1 finding: 1 failed, 0 unknown"


def test_the_story_is_in_order_of_time_with_a_heading_for_each_day() -> None:
    steps: list[Json] = [done(0, "2026-03-10T06:01:00Z"), done(1, "2026-03-10T06:02:00Z")]

    shown = on_a_terminal(a_run(outcome="remediated", steps=steps), 110)

    story = shown[shown.index("Tue 10 Mar 2026") :].splitlines()
    assert [line[:5] for line in story[:6]] == ["Tue 1", "06:01", "06:02", "06:02", "Thu 1", "03:00"]


@given(st.integers(40, 200))
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    text = "a reason with words, and /subscriptions/d9f78f40-9ae0-5f2c-86db-354fa0ded010/resourceGroups/rg in it"

    shown = on_a_terminal(a_run(text), width)

    assert max(map(len, shown.splitlines())) <= width
