"""Facts from a folder: the simulated Azure serves it on loopback, and the very same adapters read it there."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Final

from cli.hands import Failed

_APP: Final = Path(__file__).parents[1]
_PATIENCE: Final = 10.0
"""Seconds to end in, before it is ended."""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[Mapping[str, str]]:
    """The settings that point an app at the folder's estate, for as long as the block lasts.

    Raises:
        Failed: the folder cannot be served; the message names the file, and the line where there is one.
    """
    if not folder.is_dir():
        raise Failed(f"--from: there is no folder {folder}")
    # Not a pipe for its errors: nobody reads them while it serves, and a full pipe would stop it.
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(  # noqa: S603 - our own module, no shell
            # -P: a file that happens to lie in the current folder must not be taken for the simulator.
            [sys.executable, "-P", "-m", "simulator", "--fleet", str(folder), "--port", "0"],
            env={**os.environ, "PYTHONPATH": str(_APP)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            yield _settings(process, errors)
        finally:
            process.terminate()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def _settings(process: subprocess.Popen[str], errors: IO[str]) -> Mapping[str, str]:
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    try:
        ready = json.loads(process.stdout.readline())
        settings = ready["settings"]
        return {str(name): str(value) for name, value in settings.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        process.terminate()
        process.wait(_PATIENCE)
        errors.seek(0)
        last = errors.read().strip().splitlines()
        raise Failed(last[-1].removeprefix("simulate: ") if last else "the folder could not be served") from error
