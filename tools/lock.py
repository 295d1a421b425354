"""The lock files: `requirements.txt` for Azure's remote build, `requirements-dev.txt` for everything of this clone,
`requirements-scan.txt` for what only `make scan` needs.

`python -m tools.lock` renews both, keeping every pin that still fits; `--upgrade` takes the newest versions.
`python -m tools.lock --check` says, without asking a registry, whether they belong to the present `pyproject.toml`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parents[1]
APP: Final = ROOT / "requirements.txt"
DEV: Final = ROOT / "requirements-dev.txt"
SCAN: Final = ROOT / "requirements-scan.txt"
_PYTHON: Final = "3.13"
_INPUTS: Final = "# of the requirements with sha256 "
_ABOUT: Final = {
    APP: "What the function app runs on, for Linux: Azure's remote build installs exactly this.",
    DEV: "Everything of a clone: the app, the command line, the simulated Azure, tests and checks.",
    SCAN: "What judges the templates, in an environment of its own.",
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.lock", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail where the locks are not current")
    parser.add_argument("--upgrade", action="store_true", help="newest versions instead of the present pins")
    options = parser.parse_args(arguments)
    if not options.check:
        _write(upgrade=options.upgrade)
    problems = list(_problems())
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _write(*, upgrade: bool) -> None:
    app = ["pyproject.toml", "--python-platform", "x86_64-manylinux_2_28"]
    scan = ["--group", "scan", "--universal"]
    for target, what in ((APP, app), (DEV, ["pyproject.toml", *_dev_options()]), (SCAN, scan)):
        command = ["uv", "pip", "compile", *what, "--quiet", "--no-header", "--generate-hashes"]
        command += ["--python-version", _PYTHON, "--no-emit-index-url", "--no-emit-find-links"]
        # uv takes the file that it replaces for the pins to keep.
        command += ["--output-file", target.name, *(["--upgrade"] if upgrade else [])]
        subprocess.run(command, cwd=ROOT, check=True)
        pins = target.read_text(encoding="utf-8")
        target.write_text(f"# {_ABOUT[target]}\n# Made by `make lock`\n{_INPUTS}{_digest()}\n{pins}", encoding="utf-8")


def _dev_options() -> list[str]:
    # What a clone runs is what Azure runs; `--universal`, because people also work on macOS and Windows.
    return ["--universal", "--all-extras", "--group", "dev", "--constraint", APP.name]


def _problems() -> Iterator[str]:
    locks = {}
    for path in (APP, DEV, SCAN):
        if not path.is_file():
            yield f"{path.name}: is missing: run make lock"
            return
        text = path.read_text(encoding="utf-8")
        if f"{_INPUTS}{_digest()}\n" not in text:
            yield f"{path.name}: pyproject.toml has changed since it was made: run make lock"
        if "://" in text:
            yield f"{path.name}: names an address; pins and hashes are all it may hold"
        locks[path] = _pins(text)
    project = _project()
    scan = project.pop("scan")
    everything = [text for texts in project.values() for text in texts]
    for path, wanted in ((APP, project["app"]), (DEV, everything), (SCAN, scan)):
        for requirement in map(Requirement, wanted):
            pinned = locks[path].get(canonicalize_name(requirement.name))
            if pinned is None or not requirement.specifier.contains(pinned, prereleases=True):
                yield f"{path.name}: {requirement} is pinned at {pinned}: run make lock"
    for name, pinned in locks[APP].items():
        if locks[DEV].get(name) != pinned:
            yield f"{DEV.name}: {name} is {locks[DEV].get(name)}, but {APP.name} has {pinned}: run make lock"


def _pins(text: str) -> dict[str, str]:
    found = (Requirement(line.rstrip("\\ ")) for line in text.splitlines() if line[:1].isalnum())
    return {canonicalize_name(one.name): next(iter(one.specifier)).version for one in found}


def _project() -> dict[str, list[str]]:
    """The requirements of `pyproject.toml`, by who has them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"].get("optional-dependencies", {})
    return {"app": project["project"]["dependencies"], **extras, **project["dependency-groups"]}


def _digest() -> str:
    return hashlib.sha256(json.dumps(_project(), sort_keys=True).encode()).hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
