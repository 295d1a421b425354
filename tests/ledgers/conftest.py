"""Both stores of the ledger, empty for each test."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.ledgers.sqlite import SqliteLedger
from adapters.ledgers.tables import TableLedger
from engine.ports import Ledger

type Store = Callable[[], Ledger]


@pytest.fixture(params=["sqlite", "tables"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Opens one and the same ledger, each call as another process would."""
    opened: list[Ledger] = []
    make: Store
    if request.param == "sqlite":
        path = tmp_path / "ledger.sqlite"

        def make() -> Ledger:
            return SqliteLedger(path)
    else:
        connection_string: str = request.getfixturevalue("azurite")
        table = f"ledger{uuid.uuid4().hex}"

        def make() -> Ledger:
            return TableLedger.from_connection_string(connection_string, table=table)

    def open_one() -> Ledger:
        opened.append(make())
        return opened[-1]

    yield open_one
    for ledger in opened:
        ledger.close()


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return store()
