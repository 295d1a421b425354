"""Azurite, Microsoft's storage emulator, as a process of this test run: real Table service semantics on loopback."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.node import NODE_MODULES, node

KEY = "cGF0Y2h3cmlnaHQtdGVzdHM="
"""Base64 of a word: Azurite wants some key and guards nothing."""


_ACCOUNTS = tuple(f"patchwright{number:03}" for number in range(500))
"""Azurite knows no accounts but those that it was started with."""


@contextmanager
def azurite_tables(folder: Path) -> Iterator[Iterable[str]]:
    """Azurite's Table service on a free port, kept in memory; yields connection strings of one empty account each."""
    program = NODE_MODULES / "azurite" / "dist" / "src" / "table" / "main.js"
    command = [node(), "--require", str(Path(__file__).with_name("report_port.js")), str(program)]
    options = ["--tablePort", "0", "--inMemoryPersistence", "--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    with subprocess.Popen(
        [*command, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=os.environ | {"AZURITE_ACCOUNTS": ";".join(f"{account}:{KEY}" for account in _ACCOUNTS)},
    ) as process:
        try:
            port = _port(process)
            yield (
                f"DefaultEndpointsProtocol=http;AccountName={account};AccountKey={KEY};"
                f"TableEndpoint=http://127.0.0.1:{port}/{account};"
                for account in _ACCOUNTS
            )
        finally:
            process.kill()


def _port(process: subprocess.Popen[str]) -> int:
    said: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("{"):
            return int(json.loads(line)["port"])
        said.append(line)
    pytest.fail(f"azurite did not start: {''.join(said)[-2000:]}")
