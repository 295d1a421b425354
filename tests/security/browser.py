"""A page in real Chromium, and what it is made of there."""

from __future__ import annotations

import subprocess
from html.parser import HTMLParser
from pathlib import Path

from tests.support.chromium import CHROMIUM
from tests.support.parts import program


def browsed(html: str, folder: Path) -> str:
    """The document as Chromium has it once everything in it has run; skips where there is no Chromium."""
    browser = program(*CHROMIUM)
    file = folder / "page.html"
    file.write_text(html, encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    # Nothing that a page asks for leaves the machine.
    options += ["--proxy-server=127.0.0.1:9", "--virtual-time-budget=2000", f"--user-data-dir={folder / 'profile'}"]
    done = subprocess.run(
        [browser, *options, "--dump-dom", file.as_uri()], capture_output=True, timeout=120, check=True
    )
    return done.stdout.decode()


def elements(html: str) -> frozenset[str]:
    """The names of all elements of a document."""
    found = _Elements()
    found.feed(html)
    return frozenset(found.names)


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
