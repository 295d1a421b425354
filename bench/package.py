"""What is deployed: the package, what of it is whose, and the pinned packages that Azure's remote build adds.

From a clone to a first dry run, too, with `--clone`: minutes, and it fetches everything anew.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

from bench.measure import ROOT, save
from tools import package

ALLOWED_SECONDS: Final = 180
"""From a clone to the first dry run, on two cores."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.package", description=__doc__)
    parser.add_argument("--clone", action="store_true", help="measure from a fresh clone to a first dry run, too")
    options = parser.parse_args()
    files = package.contents()
    folders = Counter[str]()
    for name, content in files.items():
        folders[Path(name).parts[0]] += len(content)
    result: dict[str, object] = {
        "files": len(files),
        "zip_bytes": len(package.zipped(files, package.time_of())),
        "bytes_by_folder": dict(folders.most_common()),
        "pinned_packages": len(pinned()),
        "pinned_mb": round(sum(map(installed_bytes, pinned())) / 1e6, 1),
    }
    if options.clone:
        result["clone_to_first_dry_run_s"] = from_clone()
        result["allowed_s"] = ALLOWED_SECONDS
    save("package", result)


def pinned() -> list[str]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line.partition("==")[0] for line in lines if "==" in line and line[:1].isalnum()]


def installed_bytes(name: str) -> int:
    """As installed in this clone, without bytecode; nothing for what this system does not need."""
    try:
        listed = importlib.metadata.distribution(name).files or []
    except importlib.metadata.PackageNotFoundError:
        return 0
    found = (Path(str(file.locate())) for file in listed if file.suffix != ".pyc")
    return sum(file.stat().st_size for file in found if file.is_file())


def from_clone() -> float:
    """Seconds from `git clone` to the end of `make demo`, of which the dry run is the first half; no cache helps."""
    surroundings = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        subprocess.run(["git", "clone", "--quiet", ROOT, f"{folder}/clone"], check=True)
        subprocess.run(["make", "demo"], cwd=f"{folder}/clone", env=surroundings, stdout=subprocess.DEVNULL, check=True)
        return round(time.perf_counter() - began, 1)


if __name__ == "__main__":
    main()
