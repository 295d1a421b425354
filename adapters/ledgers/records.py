"""An entry as both stores keep it: the same text for the body and the time, whatever characters they hold."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import cast

from engine.ports import MAX_RUN_ID
from model.documents import Document, Json


def utf8(text: str) -> bytes:
    """Text as bytes in the order of its code points. JSON can carry half of a surrogate pair; so can an id."""
    return text.encode("utf-8", "surrogatepass")


def from_utf8(data: bytes) -> str:
    """The text that `utf8` was given."""
    return data.decode("utf-8", "surrogatepass")


def check_run_id(run: str) -> None:
    """Raises ValueError for a run id that a store could not use as a key."""
    if not run or len(utf8(run)) > MAX_RUN_ID:
        raise ValueError(f"a run id has 1 to {MAX_RUN_ID} bytes, this one has {len(utf8(run))}")


def write_body(body: Json) -> str:
    """JSON in ASCII."""
    return json.dumps(body, separators=(",", ":"))


def read_body(text: str | bytes) -> Document:
    """The body that `write_body` was given. Raises ValueError."""
    return cast("Document", json.loads(text))


def write_time(value: datetime) -> str:
    """A time that sorts as text, to the microsecond."""
    return value.astimezone(UTC).isoformat(timespec="microseconds")
