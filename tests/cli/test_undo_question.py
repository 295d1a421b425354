"""The question before an undo: asked where somebody sits there to answer it, and only then."""

from __future__ import annotations

import io
import sys

import pytest

from cli.arguments import Undo
from cli.undoing import confirmed
from model.documents import Document

ALLOWED: Document = {"plans": [{"verdict": {"kind": "allow"}}, {"verdict": {"kind": "refuse"}}]}
REFUSED: Document = {"plans": [{"verdict": {"kind": "refuse"}}]}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def command(*, yes: bool = False, json: bool = False) -> Undo:
    return Undo(run="r", findings=None, dry_run=False, yes=yes, json=json, wait=None)


def asked(monkeypatch: pytest.MonkeyPatch, said: str, given: Undo, document: Document = ALLOWED) -> tuple[bool, str]:
    """What comes of an answer on a terminal, and what was written there."""
    out = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(said))
    monkeypatch.setattr(sys, "stdout", out)
    return confirmed(given, document), out.getvalue()


@pytest.mark.parametrize(
    ("said", "goes_on"), [("yes\n", True), ("y\n", False), ("YES\n", False), ("\n", False), ("", False)]
)
def test_only_a_plain_yes_is_taken_for_one(monkeypatch: pytest.MonkeyPatch, said: str, *, goes_on: bool) -> None:
    answer, told = asked(monkeypatch, said, command())

    assert answer is goes_on
    assert "Undo this?" in told
    assert ("Nothing was changed." in told) is not goes_on


@pytest.mark.parametrize("given", [command(yes=True), command(json=True)])
def test_who_has_said_so_beforehand_is_not_asked(monkeypatch: pytest.MonkeyPatch, given: Undo) -> None:
    assert asked(monkeypatch, "", given) == (True, "")


def test_nothing_is_asked_where_nothing_could_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, "", command(), REFUSED) == (True, "")


def test_a_pipe_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("no\n"))
    assert confirmed(command(), ALLOWED)
