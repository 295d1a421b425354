"""A server that gives the answers that a test has written down: for faults that no simulated Azure commits."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from model.documents import Document, Json


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    """Decoded, without the query."""
    query: str
    """Decoded."""
    body: Json
    headers: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Said:
    """One answer; `body` is sent as JSON unless it is bytes."""

    status: int = 200
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)


type Answers = Callable[[Asked], Said]


@dataclass(kw_only=True)
class Stub:
    url: str
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def answering(answers: Answers) -> Iterator[Stub]:
    """A server on a free port that answers every request by `answers` and remembers it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Each answer is one packet: else the system waits 40 ms for an acknowledgement between its head and its body.
        wbufsize = -1

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            content = self.rfile.read(length)
            parts = urlsplit(self.path)
            asked = Asked(
                method=self.command,
                path=unquote(parts.path),
                query=unquote(parts.query),
                body=json.loads(content) if content else None,
                headers={name.lower(): value for name, value in self.headers.items()},
            )
            stub.asked.append(asked)
            said = answers(asked)
            body = (
                said.body
                if isinstance(said.body, bytes)
                else b""
                if said.body is None
                else json.dumps(said.body).encode()
            )
            self.send_response(said.status)
            for name, value in {"Content-Type": "application/json", **said.headers}.items():
                self.send_header(name, value)
            if said.status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if said.status != 204 and self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Tests print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stub = Stub(url=f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def graph_page(rows: list[Document], *, total: int | None = None, token: str = "", truncated: bool = False) -> Said:
    """A page as Resource Graph answers it."""
    page: Document = {
        "totalRecords": len(rows) if total is None else total,
        "count": len(rows),
        "resultTruncated": "true" if truncated or token else "false",
        "facets": [],
        "data": [*rows],
    }
    return Said(body=page | ({"$skipToken": token} if token else {}))


def batch(*bodies: Json, status: int = 200) -> Said:
    """An answer to `$batch` whose parts come in the order of the requests."""
    return Said(
        body={"responses": [{"id": str(n), "status": status, "body": body} for n, body in enumerate(bodies, start=1)]}
    )


def table(columns: dict[str, str], *rows: list[Json]) -> Document:
    """A query's result as Log Analytics answers it."""
    return {
        "tables": [
            {
                "name": "PrimaryResult",
                "columns": [{"name": name, "type": kind} for name, kind in columns.items()],
                "rows": [list(row) for row in rows],
            }
        ]
    }
