"""Node and the packages of package-lock.json: Azurite and Microsoft's KQL parser run under it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

NODE_MODULES = Path(__file__).parents[2] / "node_modules"


def node() -> str:
    """The path of node, with its packages beside the project.

    Where either is missing a person's test run skips; a machine that only tests (`CI`) has no excuse and fails.
    """
    # The virtual environment brings a node of its own where the machine has none.
    found = shutil.which("node") or shutil.which("node", path=str(Path(sys.executable).parent))
    if found and (NODE_MODULES / ".package-lock.json").is_file():
        return found
    missing = "node is not installed" if not found else "node_modules is missing, which make test installs"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(f"left out: {missing}")
