"""What our scripts for Linux do inside a simulated guest, each as its file in `remediations/scripts/linux` does.

Parameters come from the environment. A step that was done says the same again when it is sent again; what it kept is
under `/var/lib/patchwright`, or `/run/patchwright` where the disk may be full.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NoReturn

from model.documents import Json
from simulator.guests import File, Guest
from simulator.linux import LOCKED, RPM_KB, STALE, Linux
from simulator.outcomes import Effects, Ended, ScriptResult, fail, outcome_line, refuse

_STEP_ID: Final = re.compile("[0-9a-f]{16}", re.ASCII)
_SECONDS: Final = re.compile("0|[1-9][0-9]{0,3}", re.ASCII)
_PATIENCE: Final = "300"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A script that runs: the machine, and what it was told."""

    guest: Guest
    step: str
    lock_seconds: int
    folder: str
    """Where it keeps its record."""
    effects: Effects

    @property
    def linux(self) -> Linux:
        return self.guest.linux

    def write(self, path: str, text: str = "") -> None:
        self.guest.files[path] = File(text=text, written=self.effects.now())

    def fail(self, reason: str) -> NoReturn:
        fail(reason, record=self.folder)

    def waits_for_the_lock(self) -> None:
        """A lock that is given back in time is waited for; whoever holds it longer keeps it."""
        if self.linux.locked(self.effects.now() + timedelta(seconds=self.lock_seconds)):
            self.fail(f"another process still holds the lock after {self.lock_seconds} seconds")


type Fields = tuple[str, dict[str, Json]]


def _collect_worker_log(call: Call) -> Fields:
    return "collected", {"files": call.linux.worker_logs}


def _configure_packages(call: Call) -> Fields:
    linux = call.linux
    if linux.manager != "apt":
        refuse("dpkg is not on this machine")
    if not linux.half_installed:
        return "nothing-to-do", {"reason": "every package is configured"}
    call.write(f"{call.folder}/status")
    call.waits_for_the_lock()
    if linux.beyond_repair:
        call.fail(f"packages are still half-installed: {' '.join(linux.half_installed)}")
    mended, linux.half_installed = linux.half_installed, ()
    return "configured", {"halfInstalled": len(mended)}


def _fix_dependencies(call: Call) -> Fields:
    linux = call.linux
    if linux.manager != "apt":
        refuse("apt-get is not on this machine")
    call.waits_for_the_lock()
    if not linux.unmet:
        return "nothing-to-do", {"reason": "every dependency is met"}
    call.write(f"{call.folder}/status")
    if linux.beyond_repair:
        call.fail("apt-get ended with 100: E: Packages need to be removed but remove is disabled.")
    installed, linux.unmet = linux.unmet, ()
    return "fixed", {"installed": len(installed)}


def _rebuild_rpmdb(call: Call) -> Fields:
    linux = call.linux
    if linux.manager not in {"yum", "zypper"}:
        refuse("rpm is not on this machine")
    if linux.rpm_database != "damaged":
        return "nothing-to-do", {"reason": "rpm reads its database"}
    if linux.free_kb < RPM_KB * 3:
        refuse(f"{linux.free_kb} kB are free, and a copy and a new database need {RPM_KB * 3}")
    copy = f"{call.folder}/rpm"
    if f"{call.folder}/copied" not in call.guest.files:
        call.write(copy, linux.rpm_database)
        call.write(f"{call.folder}/copied", "/var/lib/rpm")
    call.waits_for_the_lock()
    call.guest.files.pop(f"{_record(call.step, 'restore-rpmdb')}/outcome", None)
    if linux.beyond_repair:
        call.fail("rpm still cannot read its database: error: rpmdb open failed")
    linux.rpm_database = "rebuilt"
    return "rebuilt", {"copy": copy, "packages": linux.packages}


def _restore_rpmdb(call: Call) -> Fields:
    made = _record(call.step, "rebuild-rpmdb")
    files = call.guest.files
    if f"{made}/copied" not in files:
        refuse("there is no copy of this step")
    call.write(f"{call.folder}/rpm", call.linux.rpm_database)
    call.linux.rpm_database = files[f"{made}/rpm"].text
    for name in ("outcome", "copied"):
        files.pop(f"{made}/{name}", None)
    return "restored", {"from": f"{made}/rpm"}


def _refresh_metadata(call: Call) -> Fields:
    linux = call.linux
    if linux.manager not in LOCKED:
        refuse("no package manager that is known here")
    call.write(f"{call.folder}/before", linux.package_lists)
    call.waits_for_the_lock()
    if linux.beyond_repair:
        call.fail(f"{linux.manager} ended with 100: {STALE[linux.manager]}")
    linux.package_lists = "fresh"
    return "refreshed", {"packageManager": linux.manager}


def _clean_package_cache(call: Call) -> Fields:
    linux = call.linux
    if linux.manager not in LOCKED:
        refuse("no package manager that is known here")
    before = linux.free_kb
    call.write(f"{call.folder}/before", f"{linux.cache_kb} kB")
    call.waits_for_the_lock()
    linux.free_kb, linux.cache_kb = before + linux.cache_kb, 0
    return "cleaned", {"packageManager": linux.manager, "freeKbBefore": before, "freeKbAfter": linux.free_kb}


def _resync_clock(call: Call) -> Fields:
    if not call.linux.time_service:
        refuse("neither chrony nor systemd-timesyncd runs on this machine")
    moved, call.guest.clock_ahead = -call.guest.clock_ahead, timedelta()
    return "resynchronized", {"movedSeconds": int(moved.total_seconds()), "service": call.linux.time_service}


def _restart_agent(call: Call) -> Fields:
    """Keeps a mark, and no record."""
    guest = call.guest
    if not guest.agent_start:
        refuse("agent-not-installed")
    if guest.agent_start == "Disabled":
        refuse("agent-disabled")
    before, mark = "active" if guest.running else "inactive", f"/run/patchwright/{call.step}.restarted"
    last = guest.files.get(mark)
    repeated = last is not None and call.effects.now() - last.written < timedelta(hours=1) and guest.running
    if not repeated:
        guest.running = True
        call.effects.restarted(guest)
        call.write(mark)
    return "restarted", {"before": before, "after": "active", "repeated": repeated}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Script:
    body: Callable[[Call], Fields]
    place: str = "var/lib"
    """Where its record goes; empty for one that keeps none."""


SCRIPTS: Final[Mapping[str, _Script]] = {
    "clean-package-cache": _Script(body=_clean_package_cache, place="run"),
    "collect-worker-log": _Script(body=_collect_worker_log),
    "configure-packages": _Script(body=_configure_packages),
    "fix-dependencies": _Script(body=_fix_dependencies),
    "rebuild-rpmdb": _Script(body=_rebuild_rpmdb),
    "refresh-metadata": _Script(body=_refresh_metadata),
    "restart-agent": _Script(body=_restart_agent, place=""),
    "restore-rpmdb": _Script(body=_restore_rpmdb),
    "resync-clock": _Script(body=_resync_clock),
}


def run(name: str, guest: Guest, parameters: Mapping[str, str], effects: Effects) -> ScriptResult:
    """Run one of `SCRIPTS`; `parameters` by lower-case name."""
    script, step, limit = SCRIPTS[name], parameters.get("stepid", ""), parameters.get("lockseconds", _PATIENCE)
    folder = _record(step, name, script.place) if script.place else ""
    try:
        if not _STEP_ID.fullmatch(step):
            refuse("StepId is not of the expected form")
        if folder and not _SECONDS.fullmatch(limit):
            refuse("LockSeconds is not of the expected form")
        done = guest.files.get(f"{folder}/outcome")
        if done:
            return ScriptResult(exit_code=0, stdout=done.text)
        seconds = int(limit) if folder else 0
        call = Call(guest=guest, step=step, lock_seconds=seconds, folder=folder, effects=effects)
        outcome, fields = script.body(call)
    except Ended as ended:
        return ended.result
    if not folder:
        return ScriptResult(exit_code=0, stdout=outcome_line(outcome, **fields))
    line = outcome_line(outcome, **fields, record=folder)
    call.write(f"{folder}/outcome", line)
    return ScriptResult(exit_code=0, stdout=f"begun\n{line}")


def _record(step: str, name: str, place: str = "var/lib") -> str:
    return f"/{place}/patchwright/{step}/{name}"
