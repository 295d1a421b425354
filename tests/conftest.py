"""What every test folder may ask for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime

import hypothesis
import pytest

from adapters.clock import SimulatorClock
from simulator.serve import HERE
from tests.support.azurite import azurite_tables

# Deadlines measure the machine, which is shared; example counts are what bounds the time. On a machine that only tests
# the examples are the same each time, so that a failure there can be repeated here.
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(scope="session")
def table_accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iterator[str]]:
    """Connection strings of a Table service of this process's own, each of an account that nobody has used."""
    with azurite_tables(tmp_path_factory.mktemp("azurite")) as connection_strings:
        yield iter(connection_strings)


@pytest.fixture
def azurite(table_accounts: Iterator[str]) -> str:
    """A connection string of this test alone: what other tests left in their tables is none of its past."""
    return next(table_accounts)


@pytest.fixture(scope="session", autouse=True)
def clocks_of_this_process() -> Iterator[None]:
    """Looking at the clock of a simulated Azure in this process takes no request.

    Four of five requests were such looks, and half the time of some tests. Commands of their own process still ask.
    """
    asked = SimulatorClock.now

    def now(clock: SimulatorClock) -> datetime:
        server = HERE.get(clock.address)
        return asked(clock) if server is None or server.estate.options.flows else server.estate.now

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SimulatorClock, "now", now)
        yield
