"""What tests need and no package brings: programs of the machine, and the folder beside the clone."""

from __future__ import annotations

import os
import shutil
import sysconfig
from pathlib import Path
from typing import NoReturn

import pytest

SHARED = Path(__file__).parents[3] / "shared"
"""Example estates and Microsoft's API descriptions, where they lie beside the clone."""


def program(*names: str) -> str:
    """The path of the first of these that is here: among what the packages brought, or on the machine."""
    return optional(*names) or missing(" or ".join(names))


def optional(*names: str) -> str | None:
    """The same, or None: for what no registry brings."""
    beside = sysconfig.get_path("scripts")
    return next(filter(None, (shutil.which(name, path=path) for name in names for path in (beside, None))), None)


def shared(path: str) -> Path:
    """A file or folder beside the clone; where it is not, its tests are left out: a clone is whole without it."""
    found = SHARED / path
    if not found.exists():
        pytest.skip(f"left out: ../shared/{path} is not beside this clone")
    return found


def missing(what: str) -> NoReturn:
    """Leaves a person's test out; a machine that only tests (`CI`) has no excuse, and fails."""
    if os.environ.get("CI"):
        pytest.fail(f"not on this machine: {what}")
    pytest.skip(f"left out, not on this machine: {what}")
