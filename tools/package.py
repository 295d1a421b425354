"""`make package`: what is deployed, as one zip; the same commit gives the same bytes, on every machine.

It holds what `.funcignore` leaves of the commit, in the order of the names, with the commit's own time. Nothing is
compressed, because how well differs from one zlib to the next; Azure's remote build installs `requirements.txt`, which
pins every package by its hash.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pathspec

ROOT: Final = Path(__file__).parents[1]
BUILD: Final = ROOT / "build"
_ORDINARY: Final = 0o100644 << 16
"""A file that its owner may write and everybody read: nothing of the app is run by itself."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.package", description="Make the package of a commit.")
    parser.add_argument("--commit", default="HEAD")
    parser.add_argument("--to", type=Path, help="the file to write; build/patchwright-COMMIT.zip unless given")
    options = parser.parse_args()
    if not (commit := _git("rev-parse", "--verify", f"{options.commit}^{{commit}}").strip()):
        return 1
    target: Path = options.to or BUILD / f"patchwright-{commit[:12]}.zip"
    target.parent.mkdir(parents=True, exist_ok=True)
    package = zipped(contents(commit), time_of(commit))
    target.write_bytes(package)
    if _git("status", "--porcelain", "--untracked-files=no"):
        print("package: what is not committed is not in it", file=sys.stderr)
    print(f"{target} {len(package)} bytes sha256 {hashlib.sha256(package).hexdigest()}")
    return 0


def contents(commit: str = "HEAD") -> Mapping[str, bytes]:
    """The files of a commit that are deployed, by name."""
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        files = {one.name: file.read() for one in tar if (file := tar.extractfile(one))}
    ignored = ignored_by(files[".funcignore"].decode())
    return {name: files[name] for name in sorted(files) if not ignored.match_file(name)}


def ignored_by(funcignore: str) -> pathspec.GitIgnoreSpec:
    return pathspec.GitIgnoreSpec.from_lines(funcignore.splitlines())


def time_of(commit: str = "HEAD") -> datetime:
    """When a commit was made, in UTC, so that it does not depend on where the package is."""
    return datetime.fromtimestamp(int(_git("show", "--no-patch", "--format=%ct", commit)), UTC)


def zipped(files: Mapping[str, bytes], at: datetime) -> bytes:
    """A zip whose bytes depend on these two and on nothing else."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as package:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=at.timetuple()[:6])
            entry.create_system = 3  # Unix, wherever it is made
            entry.external_attr = _ORDINARY
            package.writestr(entry, files[name])
    return buffer.getvalue()


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"package: {done.stderr.strip()}", file=sys.stderr)
    return done.stdout if not done.returncode else ""


if __name__ == "__main__":
    raise SystemExit(main())
