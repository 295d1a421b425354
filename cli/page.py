"""A run as one page that needs nothing else: no script, no font, no picture from anywhere."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from cli.shown import short_guids
from cli.view import run_view
from model.documents import Document

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATE = Path(__file__).with_name("page.html.j2")


def page(document: Document) -> str:
    """The page. Everything from outside is escaped, whatever somebody called a machine."""
    return _template().render(run=run_view(document), document=document)


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - only for those who want a page

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["short"] = short_guids
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
