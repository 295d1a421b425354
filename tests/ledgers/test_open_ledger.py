"""The setting that says where the ledger is."""

from __future__ import annotations

import re
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest
from azure.data.tables import TableClient

from adapters.ledgers import InvalidLedgerAddress, open_ledger
from adapters.ledgers.sqlite import SqliteLedger
from adapters.ledgers.tables import TableLedger
from engine.ports import AzureUnavailable, Entry, LedgerUnreadable, PermissionMissing

KEY = "c2VjcmV0LWtleQ=="


def test_a_path_after_sqlite_is_a_file(tmp_path: Path) -> None:
    ledger = open_ledger(f"sqlite:{tmp_path}/ledger.sqlite", default="")
    assert isinstance(ledger, SqliteLedger)
    assert (tmp_path / "ledger.sqlite").is_file()
    ledger.close()


@pytest.mark.parametrize("text", ["", "  "])
def test_nothing_is_the_default_of_where_the_app_runs(tmp_path: Path, text: str) -> None:
    open_ledger(text, default=f"sqlite:{tmp_path}/default.sqlite").close()
    assert (tmp_path / "default.sqlite").is_file()


def test_a_connection_string_is_a_table_of_that_account(azurite: str) -> None:
    ledger = open_ledger(azurite, default="sqlite:unused")
    entry = Entry(run="opened", id="1", kind="step", at=datetime(2026, 3, 9, tzinfo=UTC), body={})

    assert ledger.append([entry]) == (True,)
    assert ledger.entries("opened") == (entry,)
    ledger.close()


def no_credential() -> NoReturn:
    raise AssertionError("only an https address needs a credential, and only then is one asked for")


@pytest.mark.parametrize(
    "text",
    [
        "UseDevelopmentStorage=true",
        f"DefaultEndpointsProtocol=https;AccountName=acct;AccountKey={KEY};EndpointSuffix=core.chinacloudapi.cn",
        "TableEndpoint=https://acct.table.core.windows.net;SharedAccessSignature=sv=2024&sig=x",
    ],
)
def test_opening_a_table_sends_nothing_yet(text: str) -> None:
    """A function app starts without waiting for its storage."""
    ledger = open_ledger(text, default="", credential=no_credential)
    assert isinstance(ledger, TableLedger)
    ledger.close()


@pytest.mark.parametrize(
    "text",
    [
        "ledger.sqlite",
        "sqlite:",
        "file:ledger.sqlite",
        "http://acct.table.core.windows.net",
        "https://",
        "https://acct.table.core.windows.net?sv=2024&sig=secret",
        "https://user:secret@acct.table.core.windows.net",
        "https://[",
        f"AccountKey={KEY}",
        "\x00",
    ],
)
def test_anything_else_is_refused_without_repeating_it(text: str) -> None:
    """The text may hold a key, so that the message says what would do instead of what was there."""
    with pytest.raises(InvalidLedgerAddress, match=r"^ledger: ") as refused:
        open_ledger(text, default="sqlite:unused", credential=no_credential)

    assert "secret" not in str(refused.value)
    assert KEY not in str(refused.value)


def test_an_https_address_needs_an_identity() -> None:
    with pytest.raises(InvalidLedgerAddress, match="needs a managed identity"):
        open_ledger("https://acct.table.core.windows.net", default="")


def test_a_malformed_connection_string_is_named_without_its_key() -> None:
    ledger = open_ledger(f"AccountName=acct;{KEY}", default="")
    with pytest.raises(LedgerUnreadable, match="connection string is malformed") as refused:
        ledger.runs(1)
    assert KEY not in str(refused.value)


def test_a_table_service_that_is_not_there_is_unavailable() -> None:
    """The operation is named, and later may be better."""
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody_listens.getsockname()[1]}/acct"
        text = f"AccountName=acct;AccountKey={KEY};TableEndpoint={address};"
        ledger = TableLedger(
            lambda: TableClient.from_connection_string(text, table_name="patchwright", retry_total=0),
            "table patchwright",
        )
        with pytest.raises(AzureUnavailable, match="list runs in ledger table patchwright"):
            ledger.runs(1)


# The SDK tests an XML element for its truth while it reads the refusal.
@pytest.mark.filterwarnings("ignore:Testing an element's truth value:DeprecationWarning")
def test_a_table_service_that_refuses_the_key_needs_a_person(azurite: str) -> None:
    wrong_key = re.sub("AccountKey=[^;]*", f"AccountKey={KEY}", azurite)
    with pytest.raises(PermissionMissing, match="list runs in ledger table patchwright"):
        open_ledger(wrong_key, default="").runs(1)
