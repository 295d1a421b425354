"""The composition root: settings in, an engine with its adapters out. The function app and the command line share it.

Adapters are imported when an engine is built, not before: whoever only wants help, or only indexes the functions,
should not wait for Azure's libraries.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from adapters.estate import AzureEstate
    from adapters.export import Exported
    from engine.engine import Engine
    from engine.ports import Clock, Estate, Progress
    from engine.settings import Settings

LOCAL_LEDGER: Final = "sqlite:.patchwright/ledger.sqlite"
"""Where the command line keeps its ledger unless told otherwise: below the folder it is called in."""

_TABLE_HOSTS: Final = {
    "public": "table.core.windows.net",
    "usgovernment": "table.core.usgovcloudapi.net",
    "china": "table.core.chinacloudapi.cn",
}


def build(
    settings: Settings,
    *,
    progress: Progress | None = None,
    ledger: str = LOCAL_LEDGER,
    estate: Estate | None = None,
) -> Engine:
    """An engine for the configured cloud.

    `ledger` is the default where `PATCHWRIGHT_LEDGER` is not set. `estate` takes the place of Azure's, for facts that
    come from elsewhere.

    Raises:
        adapters.ledgers.InvalidLedgerAddress: what the ledger's setting names is none.
        engine.ports.LedgerUnreadable: it cannot be used as it is.
    """
    # Heavy, as the module says.
    from adapters.access import AzureAccess  # noqa: PLC0415
    from adapters.clients import Clients  # noqa: PLC0415
    from adapters.ledgers import open_ledger  # noqa: PLC0415
    from adapters.permissions import AzureRights  # noqa: PLC0415
    from adapters.prober import AzureProber, diagnoses  # noqa: PLC0415
    from adapters.writer import AzureWriter  # noqa: PLC0415
    from engine.catalogue import Catalogue  # noqa: PLC0415
    from engine.engine import Engine  # noqa: PLC0415
    from engine.ports import quiet  # noqa: PLC0415

    clock = clock_of(settings)

    def writing() -> Clients:
        return Clients(settings.cloud, read_only=False, client_id=settings.writer_client_id)

    def probing() -> Clients:
        identity = settings.prober_client_id or settings.writer_client_id
        return Clients(settings.cloud, read_only=False, client_id=identity, probes=diagnoses())

    def asking() -> Clients:
        # The writer's own identity, because Azure tells of nobody else's rights; only reads leave through these.
        return Clients(settings.cloud, read_only=True, client_id=settings.writer_client_id)

    def may_write() -> str | None:
        # The engine is asked before every single write, and not only when it is built.
        return engine.may_write()

    engine = Engine(
        settings=settings,
        catalogue=Catalogue.of(settings),
        estate=estate or _estate(settings, clock),
        writer=AzureWriter(writing, clock, may_write),
        ledger=open_ledger(settings.ledger, default=ledger, credential=lambda: _ledger_credential(settings)),
        clock=clock,
        progress=progress or quiet,
        rights=AzureRights(asking, simulated=settings.simulated),
        prober=AzureProber(probing, clock, settings.cloud, settings.account) if settings.probe == "suspects" else None,
        access=AzureAccess(
            Clients(settings.cloud, read_only=True, client_id=settings.reader_client_id),
            account=settings.account,
            workspace=settings.workspace,
            subscriptions=settings.subscriptions,
        ),
    )
    return engine


def main(argv: Sequence[str] | None = None) -> int:
    """The command line `patchwright`."""
    from cli.main import main as command_line  # noqa: PLC0415 - as above

    return command_line(sys.argv[1:] if argv is None else argv, build=build, simulate=_simulate, export=_export)


def _simulate(argv: Sequence[str]) -> int:
    from simulator.__main__ import main as simulate  # noqa: PLC0415 - as above

    return simulate(argv)


def _export(settings: Settings, folder: Path, progress: Progress) -> Exported:
    from adapters.export import export, keep_diagnoses  # noqa: PLC0415 - as above
    from adapters.ledgers import open_ledger  # noqa: PLC0415

    clock = clock_of(settings)
    exported = export(_estate(settings, clock), folder, progress)
    ledger = open_ledger(settings.ledger, default=LOCAL_LEDGER, credential=lambda: _ledger_credential(settings))
    with contextlib.closing(ledger):
        keep_diagnoses(folder, ledger, clock.now())
    return exported


def storage_of(env: Mapping[str, str], cloud: str) -> str:
    """The ledger's default in Functions: the storage account that the app has anyway, however it is configured."""
    if connection_string := env.get("AzureWebJobsStorage", ""):
        return connection_string
    # Identity-based connections are spread over several settings; either of these names the account.
    if address := env.get("AzureWebJobsStorage__tableServiceUri", ""):
        return address
    if account := env.get("AzureWebJobsStorage__accountName", ""):
        return f"https://{account}.{_TABLE_HOSTS.get(cloud, _TABLE_HOSTS['public'])}"
    return LOCAL_LEDGER


def _estate(settings: Settings, clock: Clock) -> AzureEstate:
    from adapters.clients import Clients  # noqa: PLC0415 - as above
    from adapters.estate import AzureEstate  # noqa: PLC0415

    return AzureEstate(
        Clients(settings.cloud, read_only=True, client_id=settings.reader_client_id),
        clock,
        account=settings.account,
        workspace=settings.workspace,
        subscriptions=settings.subscriptions,
        lookback=settings.lookback,
    )


def clock_of(settings: Settings | None) -> Clock:
    """The clock that the app goes by: the machine's, or the simulated Azure's where that takes Azure's place."""
    from adapters.clock import SimulatorClock, SystemClock  # noqa: PLC0415

    return SimulatorClock(settings.cloud) if settings is not None and settings.simulated else SystemClock()


def _ledger_credential(settings: Settings) -> TokenCredential:
    from azure.identity import DefaultAzureCredential, ManagedIdentityCredential  # noqa: PLC0415

    from adapters.clients import cloud_of  # noqa: PLC0415

    if settings.reader_client_id:
        return ManagedIdentityCredential(client_id=settings.reader_client_id)
    return DefaultAzureCredential(authority=cloud_of(settings.cloud).authority)
