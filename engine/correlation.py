"""What ties a change to the run that made it: an id that Azure keeps in its activity log beside the change."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_SPACE: Final = uuid.UUID("0f6c7f0e-6c0a-5d0b-9a57-2d0f3f0f5a11")
_PRESENT: Final[ContextVar[str]] = ContextVar("correlation", default="")


def correlation_id(run: str) -> str:
    """The correlation id of everything that a run does: a GUID, because Azure takes nothing else for one."""
    return str(uuid.uuid5(_SPACE, run))


@contextmanager
def correlated(run: str) -> Iterator[None]:
    """Requests that are sent in here, by this thread, belong to the run."""
    token = _PRESENT.set(correlation_id(run))
    try:
        yield
    finally:
        _PRESENT.reset(token)


def present() -> str:
    """The correlation id for a request that is sent now; empty outside of `correlated`."""
    return _PRESENT.get()
