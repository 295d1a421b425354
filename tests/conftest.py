"""What every test folder may ask for."""

from __future__ import annotations

import os
from collections.abc import Iterator

import hypothesis
import pytest

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
