"""Two identities: what looks and what only plans never holds a credential that could write."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError

from composition import build
from engine.engine import Engine
from engine.inline import drive
from engine.ports import StepForbidden
from engine.process import apply, sweep
from engine.requests import SweepRequest
from engine.settings import Settings
from model.plans import RegisterProvider
from tests.builders import ACCOUNT, SUBSCRIPTION, WORKSPACE
from tests.engine.conftest import App
from tests.engine.fakes import FakeClock

READER, WRITER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


@pytest.fixture
def identities(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The client ids for which a credential was made, in order. None of them is given a token: nothing leaves."""
    made: list[str] = []

    class Credential:
        def __init__(self, *, client_id: str = "", **_: Any) -> None:
            made.append(client_id)

        def get_token(self, *_: str, **__: Any) -> Any:
            raise ClientAuthenticationError("there is no identity on this machine")

        get_token_info = get_token

    for name in ("ManagedIdentityCredential", "DefaultAzureCredential"):
        monkeypatch.setattr(f"azure.identity.{name}", Credential)
    return made


def an_engine(tmp_path: Path, app: App | None = None, **env: str) -> Engine:
    """As the composition root builds it for the public cloud; on a small estate in memory where one is given."""
    settings: Mapping[str, str] = {
        "PATCHWRIGHT_SUBSCRIPTIONS": SUBSCRIPTION,
        "PATCHWRIGHT_AUTOMATION_ACCOUNTS": ACCOUNT,
        "PATCHWRIGHT_WORKSPACES": WORKSPACE,
        "PATCHWRIGHT_READER_CLIENT_ID": READER,
        "PATCHWRIGHT_WRITER_CLIENT_ID": WRITER,
        "PATCHWRIGHT_LEDGER": f"sqlite:{tmp_path / 'ledger.sqlite'}",
        "PATCHWRIGHT_MODES": '{"*": "act"}',
        "PATCHWRIGHT_MAX_MACHINES": "100",
        "PATCHWRIGHT_MAX_PERCENT": "100",
        **env,
    }
    return build(Settings.from_env(settings), estate=app.world if app else None)


def plan(engine: Engine, *, dry_run: bool = True) -> str:
    request = SweepRequest(run="run-1", trigger="cli", dry_run=dry_run)
    drive(sweep(request.document), engine.activities, engine.clock)
    return request.run


def outcomes(engine: Engine, run: str) -> list[tuple[str, str]]:
    document = engine.document(run)
    assert document is not None
    found = document["outcomes"]
    assert isinstance(found, list)
    return [(str(one["outcome"]), str(one["reason"])) for one in found if isinstance(one, dict)]


def test_a_dry_run_reads_as_the_reader_only(tmp_path: Path, identities: list[str]) -> None:
    """Everything that a sweep reads is asked for by the one identity."""
    engine = an_engine(tmp_path)

    run = plan(engine)

    document = engine.document(run)
    assert document is not None
    assert document["unknown"]
    assert set(identities) == {READER}


def test_a_dry_run_that_plans_makes_no_credential_that_could_write(tmp_path: Path, identities: list[str]) -> None:
    """Not even where the app is unlocked and every state may act."""
    app = App()
    app.late()
    engine = an_engine(tmp_path, app, DRY_RUN="false")

    run = plan(engine)

    assert [outcome for outcome, _ in outcomes(engine, run)] == ["observed"]
    assert identities == []


def test_a_locked_app_makes_none_whoever_asks(tmp_path: Path, identities: list[str]) -> None:
    """A sweep that would act, an apply, and a step that comes to the door by a mistake."""
    app = App()
    app.late()
    engine = an_engine(tmp_path, app)

    run = plan(engine, dry_run=False)
    drive(apply({"run": run, "attempt": "apply-1", "by": ""}), engine.activities, engine.clock)

    assert [outcome for outcome, _ in outcomes(engine, run)] == ["refused"]
    assert identities == []
    step = RegisterProvider(subscription=SUBSCRIPTION, namespace="Microsoft.Automation", state_before="NotRegistered")
    assert isinstance(engine.writer.begin(step, "1", {}), StepForbidden)
    assert identities == []


def test_whoever_acts_does_so_as_the_writer(tmp_path: Path, identities: list[str]) -> None:
    """So that the tests above would notice: before the first write the writer is asked what it may do."""
    app = App(clock=FakeClock(datetime.now(UTC)))
    app.unregistered()
    engine = an_engine(tmp_path, app, DRY_RUN="false")

    run = plan(engine, dry_run=False)

    ((outcome, reason),) = outcomes(engine, run)
    assert set(identities) == {WRITER}, reason
    assert outcome == "held"
    assert "what the writer may do could not be read" in reason
