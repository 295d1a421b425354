"""What a cold start costs: importing `function_app` and indexing it, beside importing the two Functions packages alone.

Each figure is the smallest of several fresh processes: a shared machine only ever adds to CPU seconds.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final

from bench.measure import ROOT, measured, median, save

REPETITIONS: Final = 9
ALLOWED: Final = 1.5
"""Times the floor's CPU."""

FLOOR: Final = "import azure.functions, azure.durable_functions"
IMPORT: Final = "import function_app; assert len(function_app.app.get_functions()) > 15"
# As a worker starts an app: Microsoft's library indexes it and answers its metadata. Its own import is in the figure.
INDEX: Final = """
import asyncio
from pathlib import Path
from devhost.worker import Worker
worker = Worker(Path.cwd())
asyncio.run(worker.start())
assert len(worker.functions) > 15
"""
HEAVY: Final = ("adapters", "composition", "engine.engine", "engine.settings", "cattrs", "azure.core", "azure.identity")


def heavy_modules() -> list[str]:
    """Those that importing the app brings in; none should."""
    program = f"import json, sys, function_app; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout)
    return found


def main() -> None:
    programs = {"floor": FLOOR, "import": IMPORT, "import_and_index": INDEX}
    # The first round compiles and is left out. In turn, so that a busy minute of the machine falls on all of them.
    rounds = [
        {name: measured([sys.executable, "-c", program]) for name, program in programs.items()}
        for _ in range(REPETITIONS + 1)
    ][1:]
    least = {name: min(run[name]["cpu_s"] for run in rounds) for name in programs}
    save(
        "import_cost",
        {
            "repetitions": REPETITIONS,
            "cpu_s_least": least,
            "median": {name: median([run[name] for run in rounds]) for name in programs},
            "times_the_floor": {name: round(least[name] / least["floor"], 3) for name in programs if name != "floor"},
            "allowed_times_the_floor": ALLOWED,
            "heavy_modules_imported": heavy_modules(),
        },
    )


if __name__ == "__main__":
    main()
