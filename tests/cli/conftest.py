"""The installed command, called as a person or a pipeline calls it, and the simulated Azure it may look at."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from model.documents import Document
from model.states import Mode
from simulator.fleets import sample
from simulator.serve import Simulator, running
from tests.builders import ALL_OPTED_IN, WIDE_LIMITS
from tests.support.modes import few
from tests.support.parts import shared

COMMAND: Final = Path(sys.executable).with_name("patchwright")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Document:
        parsed: Document = json.loads(self.out)
        return parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """A folder and an environment to call `patchwright` in."""

    folder: Path
    env: Mapping[str, str]

    def __call__(self, *arguments: str | Path, **env: str) -> Ended:
        done = subprocess.run(
            [COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
        )
        return Ended(status=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())

    def on_a_terminal(self, *arguments: str | Path, **env: str) -> Ended:
        """With both outputs on a terminal of 80 columns; `out` is everything that it was sent."""
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env={**self.env, "TERM": "xterm-256color", "COLUMNS": "80", **env},
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
        ) as process:
            os.close(theirs)
            said = b""
            try:
                while part := os.read(ours, 65_536):
                    said += part
            except OSError:
                # How Linux tells that the other end has closed.
                pass
            os.close(ours)
            status = process.wait(60)
        return Ended(status=status, out=said.decode(), err="")


@pytest.fixture
def patchwright(tmp_path: Path) -> Shell:
    """The command in an empty folder, with nothing set."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return Shell(folder=tmp_path, env=kept)


@pytest.fixture
def azure() -> Iterator[Simulator]:
    """The sample estate, for one test."""
    with running(sample()) as simulator:
        yield simulator


@pytest.fixture
def locked(patchwright: Shell, azure: Simulator) -> Shell:
    """The command pointed at the sample estate, as the app comes: locked, and here with a few states observed."""
    return Shell(
        folder=patchwright.folder,
        env={**patchwright.env, **azure.settings, **WIDE_LIMITS, "PATCHWRIGHT_MODES": few(Mode.OBSERVE)},
    )


@pytest.fixture
def unlocked(locked: Shell) -> Shell:
    """The same, unlocked, with those states allowed to act and every repair opted in."""
    unlocked = {"DRY_RUN": "false", "PATCHWRIGHT_MODES": few(Mode.ACT), "PATCHWRIGHT_OPT_IN": ALL_OPTED_IN}
    return Shell(folder=locked.folder, env={**locked.env, **unlocked})


@pytest.fixture
def contoso() -> Path:
    """The estate that was written outside this project."""
    return shared("fleets/contoso")
