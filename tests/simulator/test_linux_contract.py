"""Real scripts for Linux and their simulated behaviour, held against each other: the same machine, the same script, run
under dash in a scratch root and in a simulated guest, ends with the same exit code and outcome, and leaves the same
record."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from simulator.guests import Guest as SimulatedGuest
from simulator.linux import RPM_KB, Linux
from simulator.outcomes import Effects
from simulator.scripts import run_script
from tests.remediations.test_linux_scripts import AUDIT, BROKEN_RPM, FOLDER, STEP, Guest
from tests.remediations.test_resync_clock_script import RUNS

NOW = datetime(2026, 3, 10, 6, 0, tzinfo=UTC)
LOCKED = "E: Could not get lock /var/lib/dpkg/lock-frontend - open (11: Resource temporarily unavailable)"
UNMET = 'if [ "$1" = check ] && [ ! -f "$ROOT/fixed" ]; then echo "E: Unmet dependencies."; exit 100; fi'
INSTALLS = 'if [ "$1" = -f ]; then echo ok >"$ROOT/fixed"; echo "Setting up libssl3 (3.0.2) ..."; fi'
REFUSES = 'if [ "$1" = -f ]; then echo "E: Packages need to be removed but remove is disabled."; exit 100; fi'
HALF = 'if [ "$1" = --audit ] && [ ! -f "$ROOT/healed" ]; then echo \'' + AUDIT + "'; fi"
HEALS = 'case "$*" in *--configure*) echo ok >"$ROOT/healed" ;; esac'
# What tells of one machine only: sizes, and how long a clock that was right took to be set.
UNCERTAIN = frozenset({"freeKbBefore", "freeKbAfter", "packages", "reason"})


def prepared(**bodies: str) -> Callable[[Guest], None]:
    def prepare(guest: Guest) -> None:
        guest.has(**bodies)
        guest.write("var/lib/dpkg/status", "Package: libssl3\n")

    return prepare


def broken_rpm(guest: Guest) -> None:
    guest.write("var/lib/rpm/Packages", b"damaged")
    guest.has(rpm=BROKEN_RPM, yum="")


def hopeless_rpm(guest: Guest) -> None:
    broken_rpm(guest)
    (guest.root.parent / "hopeless").touch()


def full_rpm(guest: Guest) -> None:
    broken_rpm(guest)
    guest.has(df="echo Filesystem; echo '/dev/sda1 1 1 2 99% /'")


def with_logs(guest: Guest) -> None:
    for name in ("omsupdatemgmt.log", "worker.log"):
        guest.write(f"var/opt/microsoft/omsagent/run/automationworker/{name}", "one line\n")


def with_chrony(guest: Guest) -> None:
    guest.write("proc/uptime", "5000.25 9000.00\n")
    guest.has(systemctl=RUNS.format("chronyd"), chronyc="echo '200 OK'")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One machine, twice, and the scripts that run on it one after another."""

    scripts: tuple[str, ...]
    real: Callable[[Guest], None]
    simulated: Callable[[], Linux]
    parameters: Mapping[str, str] = field(default_factory=dict)


CASES = {
    "half installed": Case(
        scripts=("configure-packages", "configure-packages"),
        real=prepared(dpkg=f"{HEALS}\n{HALF}", apt_get=""),
        simulated=lambda: Linux(half_installed=("linux-image-azure",)),
    ),
    "half installed for good": Case(
        scripts=("configure-packages",),
        real=prepared(dpkg=HALF, apt_get=""),
        simulated=lambda: Linux(half_installed=("linux-image-azure",), beyond_repair=True),
    ),
    "nothing half installed": Case(
        scripts=("configure-packages",), real=prepared(dpkg="", apt_get=""), simulated=Linux
    ),
    "no dpkg": Case(
        scripts=("configure-packages", "fix-dependencies"),
        real=prepared(yum="", rpm=""),
        simulated=lambda: Linux(manager="yum"),
    ),
    "unmet": Case(
        scripts=("fix-dependencies", "fix-dependencies"),
        real=prepared(apt_get=f"{UNMET}\n{INSTALLS}", dpkg=""),
        simulated=lambda: Linux(unmet=("libssl3",)),
    ),
    "unmet for good": Case(
        scripts=("fix-dependencies",),
        real=prepared(apt_get=f"{UNMET}\n{REFUSES}", dpkg=""),
        simulated=lambda: Linux(unmet=("libssl3",), beyond_repair=True),
    ),
    "nothing unmet": Case(scripts=("fix-dependencies",), real=prepared(apt_get="", dpkg=""), simulated=Linux),
    "locked": Case(
        scripts=("refresh-metadata", "fix-dependencies", "clean-package-cache"),
        real=prepared(apt_get=f"echo '{LOCKED}'; exit 100", dpkg=""),
        simulated=lambda: Linux(locked_until=datetime.max.replace(tzinfo=UTC)),
        parameters={"LockSeconds": "0"},
    ),
    "apt": Case(
        scripts=("refresh-metadata", "clean-package-cache", "refresh-metadata"),
        real=prepared(apt_get="", dpkg=""),
        simulated=lambda: Linux(package_lists="damaged"),
    ),
    "yum": Case(
        scripts=("refresh-metadata", "clean-package-cache"),
        real=prepared(yum="", rpm=""),
        simulated=lambda: Linux(manager="yum"),
    ),
    "zypper": Case(
        scripts=("refresh-metadata", "clean-package-cache"),
        real=prepared(zypper="", rpm=""),
        simulated=lambda: Linux(manager="zypper"),
    ),
    "no package manager": Case(
        scripts=("refresh-metadata", "clean-package-cache", "rebuild-rpmdb", "restore-rpmdb", "collect-worker-log"),
        real=lambda _: None,
        simulated=lambda: Linux(manager="", worker_logs=0),
    ),
    "rpm database": Case(
        scripts=("rebuild-rpmdb", "rebuild-rpmdb", "restore-rpmdb", "restore-rpmdb", "rebuild-rpmdb", "restore-rpmdb"),
        real=broken_rpm,
        simulated=lambda: Linux(manager="yum", rpm_database="damaged"),
    ),
    "rpm database for good": Case(
        scripts=("rebuild-rpmdb",),
        real=hopeless_rpm,
        simulated=lambda: Linux(manager="yum", rpm_database="damaged", beyond_repair=True),
    ),
    "rpm database without room": Case(
        scripts=("rebuild-rpmdb", "restore-rpmdb"),
        real=full_rpm,
        simulated=lambda: Linux(manager="yum", rpm_database="damaged", free_kb=RPM_KB),
    ),
    "worker's logs": Case(scripts=("collect-worker-log",), real=with_logs, simulated=Linux),
    "a clock": Case(scripts=("resync-clock", "resync-clock"), real=with_chrony, simulated=Linux),
    "no time service": Case(
        scripts=("resync-clock",),
        real=lambda guest: guest.has(systemctl="exit 3"),
        simulated=lambda: Linux(time_service=""),
    ),
    "another step": Case(
        scripts=("refresh-metadata", "configure-packages", "resync-clock", "collect-worker-log"),
        real=prepared(apt_get="", dpkg=""),
        simulated=Linux,
        parameters={"StepId": "../../etc/passwd"},
    ),
    "another patience": Case(
        scripts=("refresh-metadata", "clean-package-cache"),
        real=prepared(apt_get="", dpkg=""),
        simulated=Linux,
        parameters={"LockSeconds": "99999"},
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_real_script_and_the_simulated_one_end_alike(case: Case, tmp_path: Path) -> None:
    real = Guest(tmp_path, "dash")
    case.real(real)
    simulated = SimulatedGuest(agent="/vm", os="Linux", key=None, linux=case.simulated())
    effects = Effects(restarted=lambda _: None, now=lambda: NOW)
    given = {"StepId": STEP, "LockSeconds": "0", **case.parameters}

    for name in case.scripts:
        one = real.run(name, given)
        text = (FOLDER / f"{name}.sh").read_text("utf-8")
        other = run_script(text, simulated, {key.lower(): value for key, value in given.items()}, effects)
        said = json.loads(other.stdout.rstrip("\n").rpartition("\n")[2].removeprefix("patchwright-outcome: "))

        assert (other.exit_code, certain(said)) == (one.code, certain(of_the_root(one.said, real.root)))
        assert said.keys() == one.said.keys()
        assert records(simulated) == records_below(real.root)


def certain(said: Mapping[str, Any]) -> dict[str, Any]:
    """What both have to say word for word; of refusals that also the reason, unless it names sizes."""
    exact = said["outcome"] == "refused" and "kB are free" not in said["reason"]
    return {key: value for key, value in said.items() if key not in UNCERTAIN or (exact and key == "reason")}


def of_the_root(said: Mapping[str, Any], root: Path) -> dict[str, Any]:
    return {key: value.replace(str(root), "") if isinstance(value, str) else value for key, value in said.items()}


def records_below(root: Path) -> set[str]:
    """The outcomes and copies that the real scripts keep; not their logs."""
    kept = {"outcome", "status", "copied", "before"}
    return {f"/{file.relative_to(root)}" for file in root.rglob("patchwright/*/*/*") if file.name in kept}


def records(guest: SimulatedGuest) -> set[str]:
    return {path for path in guest.files if path.rpartition("/")[2] in {"outcome", "status", "copied", "before"}}
