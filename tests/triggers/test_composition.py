"""How the app is put together: which ledger, whose identity, and when."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

import adapters.clients
from composition import LOCAL_LEDGER, storage_of
from devhost.host import running
from simulator.serve import Simulator
from tests.triggers.app import UNLOCKED, App, objects, outcomes, the_app

WRITER: Final = "aaaaaaaa-0000-4000-8000-000000000001"
READER: Final = "bbbbbbbb-0000-4000-8000-000000000002"


@pytest.mark.parametrize(
    ("env", "cloud", "ledger"),
    [
        ({"AzureWebJobsStorage": "UseDevelopmentStorage=true"}, "public", "UseDevelopmentStorage=true"),
        ({"AzureWebJobsStorage__accountName": "st"}, "public", "https://st.table.core.windows.net"),
        ({"AzureWebJobsStorage__accountName": "st"}, "usgovernment", "https://st.table.core.usgovcloudapi.net"),
        ({"AzureWebJobsStorage__accountName": "st"}, "china", "https://st.table.core.chinacloudapi.cn"),
        (
            {"AzureWebJobsStorage__accountName": "st", "AzureWebJobsStorage__tableServiceUri": "https://x.example"},
            "public",
            "https://x.example",
        ),
        ({}, "public", LOCAL_LEDGER),
    ],
)
def test_the_ledger_is_in_the_storage_that_the_app_has_anyway(env: dict[str, str], cloud: str, ledger: str) -> None:
    """However the host was told of it: a connection string, an account's name, or the address of its tables."""
    assert storage_of(env, cloud) == ledger


@pytest.fixture
def identities(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The client id of every identity that the app builds clients for, in order."""
    built: list[str] = []
    original = adapters.clients.Clients.__init__

    def recorded(self: adapters.clients.Clients, *arguments: Any, client_id: str = "", **others: Any) -> None:
        built.append(client_id)
        original(self, *arguments, client_id=client_id, **others)

    monkeypatch.setattr(adapters.clients.Clients, "__init__", recorded)
    return built


IDENTITIES: Final = {"PATCHWRIGHT_READER_CLIENT_ID": READER, "PATCHWRIGHT_WRITER_CLIENT_ID": WRITER}


def test_a_dry_run_never_touches_the_identity_that_writes(
    azure: Simulator, tmp_path: Path, identities: list[str]
) -> None:
    """Neither in a locked app nor in an unlocked one: there is nothing that could write."""
    for name, settings in (("locked", {}), ("unlocked", UNLOCKED)):
        with the_app(azure, tmp_path / name, {**settings, **IDENTITIES}) as app:
            assert objects(app.swept(), "plans")

    assert set(identities) == {READER}


def test_the_identity_that_writes_is_built_when_something_is_written(
    azure: Simulator, tmp_path: Path, identities: list[str]
) -> None:
    with the_app(azure, tmp_path / "ledger.sqlite", {**UNLOCKED, **IDENTITIES}) as app:
        app.swept(states=["automation-rp-not-registered"], dry_run=False)

    assert list(dict.fromkeys(identities)) == [READER, WRITER]


def test_the_app_keeps_its_ledger_in_azure_tables(azure: Simulator, azurite: str) -> None:
    """With nothing set but the host's own storage: plan, apply and verification, read back from Table Storage."""
    with running({**azure.settings, **UNLOCKED, "AzureWebJobsStorage": azurite}) as host:
        app = App(host)
        run = app.swept(states=["automation-rp-not-registered"])
        app.post(f"/runs/{run['id']}/apply")
        app.finish()

        assert set(outcomes(app.run(str(run["id"]))).values()) == {"remediated"}
        assert str(run["id"]) in {summary["id"] for summary in objects(app.get("/runs").json, "runs")}
