"""The smoke test of a deployment: it says that it is ready, and a dry-run sweep completes. Changes nothing.

`python3 tools/smoke.py URL`, the function key in `PATCHWRIGHT_KEY`. Needs Python and nothing else, so that a pipeline
can run it where nothing is set up. Status 0 where all is well, 1 with what is not.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
from typing import Any, Final

READY_WITHIN: Final = 900.0
"""Seconds. A cold start takes some; a new role assignment can take many minutes to hold."""
SWEPT_WITHIN: Final = 900.0
_SETTING: Final = re.compile(r"[A-Z][A-Z_]+: ")


class Failed(Exception):
    """What is not well, in a sentence."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="smoke", description="Is this deployment well? Sends a dry-run sweep.")
    parser.add_argument("url", help="where the app answers, without /api")
    parser.add_argument("--pause", type=float, default=10.0, help="seconds between two looks")
    options = parser.parse_args()
    try:
        dry = _ready(options.url, options.pause)
        run = _swept(options.url, options.pause)
    except Failed as error:
        print(f"smoke: {error}", file=sys.stderr)
        return 1
    unknown = len(run.get("unknown", []))
    print(f"smoke: ready ({'locked' if dry else 'NOT locked'}), {len(run['findings'])} findings, {unknown} unknown")
    return 0


def _ready(url: str, pause: float) -> bool:
    """Whether the app is locked, once it is ready."""
    until = time.monotonic() + READY_WITHIN
    while True:
        status, body = _asked(f"{url}/api/health")
        if status == 200:
            return bool(body.get("dryRun"))
        problems = [*map(str, body.get("problems", []))]
        said = "; ".join(problems) or f"GET /api/health answered {status}"
        # Wrong settings do not mend themselves; only what Azure has yet to bring about is waited for.
        if time.monotonic() > until or any(map(_SETTING.match, problems)):
            raise Failed(f"not ready: {said}")
        print(f"smoke: waiting: {said}", file=sys.stderr)
        time.sleep(pause)


def _swept(url: str, pause: float) -> dict[str, Any]:
    """The run document of a dry run."""
    status, body = _asked(f"{url}/api/sweeps", {"dry_run": True})
    if status != 202:
        raise Failed(f"POST /api/sweeps answered {status}: {body}")
    until = time.monotonic() + SWEPT_WITHIN
    while True:
        status, run = _asked(f"{url}/api/runs/{body['id']}")
        if status == 200 and run.get("status") == "completed":
            if run.get("mode") != "dry-run":
                raise Failed(f"run {body['id']} was no dry run")
            return run
        if run.get("status") == "failed" or time.monotonic() > until:
            raise Failed(f"run {body['id']}: {run.get('status', status)}")
        time.sleep(pause)


def _asked(url: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    headers = {"Content-Type": "application/json", "x-functions-key": os.environ.get("PATCHWRIGHT_KEY", "")}
    data = None if body is None else json.dumps(body).encode()
    try:
        request = urllib.request.Request(url, data, headers)  # noqa: S310 - the address is the caller's
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
            return answer.status, _object(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _object(error.read())
    except OSError as error:
        return 0, {"problems": [f"no answer: {error}"]}


def _object(text: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


if __name__ == "__main__":
    raise SystemExit(main())
