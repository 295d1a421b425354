"""The floors of a sweep: the same requests, one after the other, their answers parsed as JSON and dropped.

`python -m bench.floor CLIENT FILE`. CLIENT is `socket` (the standard library's connection, nothing imported) or
`requests` (the client that Azure's libraries send through). FILE lists the requests: `[{"method", "url", "body"}]`.
"""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

type Send = Callable[[str, str, bytes | None], bytes]
"""Sends method, address and body; answers JSON, or nothing where a job's output came as text."""

_NOT_THERE = 404
"""An answer like others: an estate has machines that are gone."""


def main(client: str, file: str) -> int:
    """Send what the file lists."""
    requests = json.loads(Path(file).read_text(encoding="utf-8"))
    send = _by_socket(requests[0]["url"]) if client == "socket" else _by_requests()
    tokens: dict[str, str] = {}
    for request in requests:
        asked: dict[str, Any] | None = request["body"]
        if asked and "$skipToken" in asked.get("options", {}):
            # Resource Graph forgets a token after a while: go on from the page that this program has read.
            asked["options"]["$skipToken"] = tokens[asked["query"]]
        answer = send(request["method"], request["url"], json.dumps(asked).encode() if asked else None)
        said = json.loads(answer or b"null")
        if asked and isinstance(said, dict) and "$skipToken" in said:
            tokens[asked["query"]] = said["$skipToken"]
    return 0


def _by_socket(url: str) -> Send:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port)

    def send(method: str, url: str, body: bytes | None) -> bytes:
        parts = urlsplit(url)
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request(method, f"{parts.path}?{parts.query}", body, headers)
        answer = connection.getresponse()
        if answer.status >= 400 and answer.status != _NOT_THERE:
            raise SystemExit(f"{method} {url}: {answer.status}")
        content = answer.read()
        return content if "json" in answer.headers.get("Content-Type", "") else b""

    return send


def _by_requests() -> Send:
    import requests

    session = requests.Session()

    def send(method: str, url: str, body: bytes | None) -> bytes:
        headers = {"Content-Type": "application/json"} if body else {}
        answer = session.request(method, url, data=body, headers=headers, timeout=60)
        if answer.status_code != _NOT_THERE:
            answer.raise_for_status()
        return answer.content if "json" in answer.headers.get("Content-Type", "") else b""

    return send


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
