"""Long-running operations: where a client looks whether one has ended, and what it finds there."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from model.documents import Document, Json

_NAMESPACE: Final = uuid.UUID("a5b0d7f1-9f0e-4b3e-8d53-3b5e4c2f6a77")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    id: str
    status: Callable[[], Document]
    """The body of a look at it; a look may be what lets it end."""
    result: Callable[[], Json]
    """The body at `Location` once it has ended."""


class Operations:
    """All operations that were begun; their ids are the same in every repetition of a run."""

    def __init__(self) -> None:
        self._known: dict[str, Operation] = {}

    def begin(self, status: Callable[[], Document], result: Callable[[], Json]) -> Operation:
        operation = Operation(id=str(uuid.uuid5(_NAMESPACE, str(len(self._known)))), status=status, result=result)
        self._known[operation.id] = operation
        return operation

    def get(self, operation_id: str) -> Operation | None:
        return self._known.get(operation_id.lower())
