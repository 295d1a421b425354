"""What every benchmark shares: a process measured from outside, and a result file that says where it was measured."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "bench" / "results"


def measured(arguments: Sequence[str], env: Mapping[str, str] | None = None) -> dict[str, float]:
    """Run a program to its end: wall and CPU seconds, and peak memory in MB (1,000,000 bytes) of that process alone."""
    began = time.perf_counter()
    # Bytecode is kept, as it is where the app is installed; a first run that compiles is the caller's to leave out.
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    child = subprocess.Popen([*arguments], cwd=ROOT, env={**surroundings, **(env or {})}, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(arguments)} ended with {os.waitstatus_to_exitcode(status)}")
    return {
        "wall_s": round(time.perf_counter() - began, 3),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 3),
        "peak_mb": round(usage.ru_maxrss * 1024 / 1e6, 1),  # Linux counts kibibytes
    }


def median(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The middle of each figure."""
    return {key: sorted(run[key] for run in runs)[len(runs) // 2] for key in runs[0]}


def save(name: str, result: Mapping[str, object]) -> None:
    """Write `bench/results/NAME.json` and print it."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    document = {
        "benchmark": name,
        "commit": commit.stdout.strip() or "unknown",
        "machine": {
            "cpus": os.cpu_count(),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            "system": platform.system(),
            "python": platform.python_version(),
        },
        **result,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, indent=2) + "\n"
    (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
