"""`make demo`: the whole job, on the sample estate."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tools.demo import STATES


def test_the_demo_shows_a_plan_for_every_state_applies_it_and_verifies_each_fix() -> None:
    """It ends with status 0 only where all four were found, planned, applied and remediated, and leaves nothing."""
    root = Path(__file__).parents[2]
    command, env = [sys.executable, "-m", "tools.demo"], {**os.environ, "COLUMNS": "110"}

    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, timeout=90, check=False)

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    plan, _, applied = done.stdout.partition("$ patchwright apply")
    assert len(STATES) == 4
    for state in STATES:
        assert re.search(rf"^{state} +\d finding", plan, re.MULTILINE)
        assert re.search(rf"^\d\d:\d\d  ✔ {state} .*remediated", applied, re.MULTILINE)
    assert list((root / ".patchwright").glob("demo-*")) == []
