"""The portal: one page for a person who answers, stops and reads. All that it knows it asks the JSON API for.

The page is made once from its three files, with nothing of any run in it; what somebody called a machine never passes
through here. It is one document, so that the function key in its address is needed for nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import azure.functions as func

from triggers.durable import GET, WITH_KEY, Blueprint, new_blueprint
from triggers.problems import EngineFor

_HERE: Final = Path(__file__).parent
_STYLE: Final = '<link rel="stylesheet" href="page.css">'
_SCRIPT: Final = '<script type="module" src="page.js"></script>'


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    html: str
    policy: str
    """The Content-Security-Policy: this style, this script, this app's API, and nothing else."""


def blueprint(engine: EngineFor) -> Blueprint:  # noqa: ARG001 - as every entrance; the page asks the API
    functions = new_blueprint()

    @functions.route(route="portal", methods=GET, auth_level=WITH_KEY)
    async def get_portal(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the trigger hands it in
        """The page; ready or not, because it tells what the app is not ready for."""
        made = page()
        headers = {
            "Content-Security-Policy": made.policy,
            # The page's own address may hold the function key.
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }
        return func.HttpResponse(made.html, headers=headers, mimetype="text/html")

    return functions


@cache
def page() -> Page:
    """The files as one document."""
    html, style, script = ((_HERE / name).read_text(encoding="utf-8") for name in ("page.html", "page.css", "page.js"))
    # With trusted types the browser itself refuses text that would become markup or script.
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    whole = html.replace(_STYLE, f"<style>{style}</style>").replace(_SCRIPT, f'<script type="module">{script}</script>')
    return Page(html=whole, policy=policy)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
