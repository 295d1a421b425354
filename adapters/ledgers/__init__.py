"""The stores of the ledger: a SQLite file where one machine runs everything, Azure Table Storage in the cloud."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from engine.ports import Ledger

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

_SQLITE: Final = "sqlite:"
_CONNECTION_STRING = re.compile(r"(?:^|;)\s*(?:AccountName|TableEndpoint|UseDevelopmentStorage)\s*=", re.IGNORECASE)


class InvalidLedgerAddress(ValueError):
    """The text names no ledger; the message says what would, and never repeats a connection string (it holds a key)."""


def open_ledger(text: str, *, default: str, credential: Callable[[], TokenCredential] | None = None) -> Ledger:
    """The ledger at `text`, or at `default` where `text` is empty.

    `sqlite:PATH`, a storage account's connection string, or the https address of its Table service; the last needs a
    `credential`, which is asked for only then.

    Raises:
        InvalidLedgerAddress: the text is none of these.
        LedgerUnreadable: the SQLite file is not a ledger, or one of a newer version.
    """
    address = text.strip() or default.strip()
    if address.startswith(_SQLITE):
        from .sqlite import SqliteLedger  # noqa: PLC0415 - each store costs its import only where it is used

        path = address.removeprefix(_SQLITE)
        if not path:
            raise InvalidLedgerAddress(
                "ledger: sqlite: needs a path after it, such as sqlite:.patchwright/ledger.sqlite"
            )
        return SqliteLedger(Path(path))

    from .tables import TableLedger  # noqa: PLC0415

    if _CONNECTION_STRING.search(address):
        return TableLedger.from_connection_string(address)
    if _is_table_service(address):
        if credential is None:
            raise InvalidLedgerAddress("ledger: an https address needs a managed identity, and there is none here")
        return TableLedger.from_endpoint(address, credential())
    raise InvalidLedgerAddress(
        "ledger: must be sqlite:PATH, a storage connection string, or https://ACCOUNT.table.core.windows.net"
    )


def _is_table_service(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname) and not (parts.query or parts.fragment or parts.username)
