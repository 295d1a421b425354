"""What is deployed: the app, all of it, and nothing else, on exactly the packages that requirements.txt pins."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tools.package import ignored_by

ROOT = Path(__file__).parents[2]
PACKAGES = {"adapters", "detectors", "engine", "guardrails", "model", "remediations", "triggers"}
APP = PACKAGES | {"composition.py", "function_app.py", "host.json", "requirements.txt"}


def files() -> list[str]:
    """What a clone has."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def deployed() -> list[str]:
    """What `.funcignore` leaves of it."""
    ignored = ignored_by((ROOT / ".funcignore").read_text(encoding="utf-8"))
    return [name for name in files() if not ignored.match_file(name)]


def test_only_the_app_is_deployed() -> None:
    assert {Path(name).parts[0] for name in deployed()} - APP == set()


def test_nothing_of_the_app_is_left_behind() -> None:
    """Queries and scripts are part of it as much as modules are."""
    wanted = {name for name in files() if Path(name).parts[0] in APP}
    assert wanted - set(deployed()) == set()


IMPORT_ALL = """
import importlib, json, pkgutil, sys
from importlib.metadata import packages_distributions

app, packages, *names = sys.argv[1:]
sys.path[:] = [app, *(path for path in sys.path if path), packages]
for name in names:
    module = importlib.import_module(name)
    for found in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{name}."):
        importlib.import_module(found.name)
owners = packages_distributions()
top = {name.partition(".")[0] for name in sys.modules}
print(json.dumps({name: owners.get(name, []) for name in sorted(top - sys.stdlib_module_names - {*names})}))
"""


def test_the_app_needs_only_what_requirements_pins(tmp_path: Path) -> None:
    """Every module that is deployed can be imported from a copy of what is deployed, without the extras of a clone."""
    for name in deployed():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    modules = sorted(
        {Path(name).parts[0].removesuffix(".py") for name in deployed()} - {"host.json", "requirements.txt"}
    )

    # Without site, so that the clone that this environment knows cannot lend a module that was left behind.
    done = subprocess.run(
        [sys.executable, "-S", "-c", IMPORT_ALL, str(tmp_path), sysconfig.get_path("purelib"), *modules],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    imported: dict[str, list[str]] = json.loads(done.stdout)
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.partition("==")[0] for line in pins if "==" in line}
    unpinned = {
        name: owners
        for name, owners in imported.items()
        if owners and not pinned & {canonicalize_name(owner) for owner in owners}
    }
    assert unpinned == {}


def test_the_host_is_told_what_the_app_relies_on() -> None:
    """Alert rules and people know the API's prefix; the Durable hub's name is where running treatments are kept."""
    host = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
    assert host["extensionBundle"]["version"] == "[4.*, 5.0.0)"
    assert host["extensions"]["durableTask"]["hubName"] == "Patchwright"
    assert host["extensions"]["http"]["routePrefix"] == "api"
    assert host["functionTimeout"] == "00:10:00"
    # A request that failed is what somebody will look for.
    assert host["logging"]["applicationInsights"]["samplingSettings"]["excludedTypes"] == "Request;Exception"


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", "package-lock.json"])
def test_lock_files_name_packages_and_no_places(name: str) -> None:
    """Where packages come from is the machine's to say."""
    text = (ROOT / name).read_text(encoding="utf-8")
    assert '"resolved"' not in text
    assert "--index-url" not in text
    assert "file:" not in text
    assert all(word not in text for word in (".whl", ".tgz", ".tar.gz"))
