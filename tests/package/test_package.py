"""The package that would be deployed: made twice it is the same, and it is all that the app needs."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from simulator.fleets import sample
from simulator.options import Options
from simulator.serve import running
from tools import package

ROOT = Path(__file__).parents[2]
AT = datetime(2026, 3, 10, 6, 0, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Azure unpacks: the package of the last commit in a folder that held nothing."""
    folder = tmp_path_factory.mktemp("wwwroot")
    zipped = package.zipped(package.contents(), package.time_of())
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        archive.extractall(folder)
    return folder


def test_the_same_commit_gives_the_same_bytes(tmp_path: Path) -> None:
    """From two clones, at two times, in two time zones, under two umasks."""
    made = []
    for number, zone in enumerate(("Pacific/Auckland", "America/Lima")):
        clone = tmp_path / str(number)
        subprocess.run(["git", "clone", "--quiet", "--shared", str(ROOT), str(clone)], check=True)
        target = tmp_path / f"{number}.zip"
        subprocess.run(
            [sys.executable, "-m", "tools.package", "--to", str(target)],
            cwd=clone,
            env={**os.environ, "TZ": zone, "PYTHONPATH": str(clone), "PYTHONHASHSEED": str(number)},
            umask=0o077 if number else 0o002,
            check=True,
            capture_output=True,
        )
        made.append(target.read_bytes())
    assert made[0] == made[1]


def test_the_order_in_which_files_come_does_not_matter() -> None:
    files = {"b.py": b"2", "a.py": b"1"}
    assert package.zipped(files, AT) == package.zipped(dict(reversed(files.items())), AT)
    assert package.zipped(files, AT) != package.zipped(files | {"a.py": b"3"}, AT)


def test_a_commit_that_does_not_exist_is_named() -> None:
    command = [sys.executable, "-m", "tools.package", "--commit", "nowhere"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "package: fatal" in done.stderr


def test_the_unpacked_package_answers_a_dry_run_sweep(unpacked: Path, tmp_path: Path) -> None:
    """Indexed by Microsoft's worker library and asked over HTTP; not one module comes from the clone."""
    host = tmp_path / "host"
    shutil.copytree(ROOT / "devhost", host / "devhost")
    with running(sample(), options=Options(retry_after=0)) as azure:
        settings = {**azure.settings, "PATCHWRIGHT_LEDGER": f"sqlite:{tmp_path / 'ledger.sqlite'}"}
        script = Path(__file__).with_name("elsewhere.py")
        done = subprocess.run(
            [sys.executable, "-S", str(script), str(unpacked), str(host), sysconfig.get_path("purelib")],
            input=json.dumps(settings),
            cwd=tmp_path,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            capture_output=True,
            text=True,
            check=False,
            timeout=150,
        )
    assert done.returncode == 0, done.stderr[-3000:]
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert {"get_health", "nightly_sweep", "receive_alert"} <= set(said["functions"])
    assert said["health"][0] == 200
    assert said["health"][1]["dryRun"] is True
    assert said["run"]["status"] == "completed"
    assert said["run"]["mode"] == "dry-run"
    assert len(said["run"]["findings"]) >= 4
    assert said["strangers"] == []
