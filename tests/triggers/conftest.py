"""The app, locked as it comes or unlocked, in front of a simulated Azure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.fleets import sample
from simulator.options import Options
from simulator.serve import Simulator, running
from tests.triggers.app import ACTING, ASKING, UNLOCKED, App, the_app


@pytest.fixture
def azure() -> Iterator[Simulator]:
    """The sample estate, for one test."""
    with running(sample(), options=Options(retry_after=0)) as simulator:
        yield simulator


@pytest.fixture
def locked(azure: Simulator, tmp_path: Path) -> Iterator[App]:
    """The app as it comes."""
    with the_app(azure, tmp_path / "ledger.sqlite") as app:
        yield app


@pytest.fixture
def unlocked(azure: Simulator, tmp_path: Path) -> Iterator[App]:
    """The app with its lock open, a few states allowed to act, and no limit in the way."""
    with the_app(azure, tmp_path / "ledger.sqlite", UNLOCKED) as app:
        yield app


@pytest.fixture
def asking(azure: Simulator, tmp_path: Path) -> Iterator[App]:
    """One state that the estate suffers from once, in mode `ask`."""
    with the_app(azure, tmp_path / "ledger.sqlite", ASKING) as app:
        yield app


@pytest.fixture
def acting(azure: Simulator, tmp_path: Path) -> Iterator[App]:
    """The same state allowed to act."""
    with the_app(azure, tmp_path / "ledger.sqlite", ACTING) as app:
        yield app


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A locked app for tests that leave nothing behind that another test would notice."""
    with (
        running(sample(), options=Options(retry_after=0)) as azure,
        the_app(azure, tmp_path_factory.mktemp("shared") / "ledger.sqlite") as app,
    ):
        yield app
