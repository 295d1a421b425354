"""What the fix scripts look at and change inside a Linux machine, and what its package manager makes of it.

In a fleet folder a guest's `linux` may say (all optional):

- `packageManager`: `apt` (default), `yum`, `zypper`, or an empty text for none that is known.
- `halfInstalled`, `unmet`: names of packages that dpkg has to configure, or that others depend on in vain.
- `rpmDatabase`, `packageLists`: `damaged`.
- `freeKb`, `cacheKb`: room in `/var`, and what of it downloaded packages take.
- `lockedFor`: how long, from the fleet's time on, another process holds the package manager's lock (ISO 8601).
- `beyondRepair`: true where the package manager cannot mend what it is told to mend.
- `timeService`: `chrony` (default), `systemd-timesyncd`, or an empty text for none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Final

from model.documents import Json, list_at, text_at
from model.times import parse_duration
from simulator.fleet import BrokenFleet

NEEDED_KB: Final = 51_200
"""Room that an update run needs to download anything."""
RPM_KB: Final = 40_000
"""What the rpm database takes."""
NO_ROOM: Final = "E: Write error - write (28: No space left on device)"
INTERRUPTED: Final = "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem."
RPMDB: Final = "error: rpmdb open failed"
LOCKED: Final = {
    "apt": "E: Could not get lock /var/lib/dpkg/lock-frontend - open (11: Resource temporarily unavailable)",
    "yum": "Another app is currently holding the yum lock; waiting for it to exit...",
    "zypper": "System management is locked by the application with pid 4242 (zypper).",
}
UNMET: Final = "E: Unmet dependencies. Try 'apt --fix-broken install' with no packages (or specify a solution)."
STALE: Final = {
    "apt": "E: Failed to fetch http://archive.ubuntu.com/ubuntu/dists/focal/InRelease  Hash Sum mismatch",
    "yum": "repomd.xml: [Errno 14] HTTP Error 404 - Not Found",
    "zypper": "Metadata file does not match checksum",
}
_KNOWN: Final = frozenset(
    {"packageManager", "halfInstalled", "unmet", "rpmDatabase", "packageLists", "freeKb", "cacheKb", "lockedFor",
     "beyondRepair", "timeService"}
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Linux:
    """What is so on an ordinary server, unless it is said or shows otherwise."""

    manager: str = "apt"
    half_installed: tuple[str, ...] = ()
    unmet: tuple[str, ...] = ()
    beyond_repair: bool = False
    rpm_database: str = "whole"
    """Its content; `damaged` cannot be read."""
    packages: int = 412
    """How many are installed."""
    package_lists: str = "fresh"
    free_kb: int = 9_000_000
    cache_kb: int = 600_000
    locked_until: datetime | None = None
    time_service: str = "chrony"
    worker_logs: int = 2
    """How many of the worker's two logs there are."""
    failing: frozenset[str] = frozenset()
    """Packages that fail to install, so that a run which does not leave them out fails."""
    other_obstacle: str = ""
    """What a run ends with whatever the rest is like: no script of ours knows it."""

    def locked(self, now: datetime) -> bool:
        return self.locked_until is not None and now < self.locked_until

    def obstacle(self, now: datetime, excluded: Sequence[str] = ()) -> str:
        """What the package manager ends an update run with, which leaves some packages out; empty where it succeeds."""
        if self.free_kb < NEEDED_KB:
            return NO_ROOM
        if self.half_installed:
            return INTERRUPTED
        if self.rpm_database == "damaged":
            return RPMDB
        if self.locked(now):
            return LOCKED.get(self.manager, LOCKED["apt"])
        if self.unmet:
            return UNMET
        if self.package_lists == "damaged":
            return STALE.get(self.manager, STALE["apt"])
        if self.failing and not self.tried(excluded):
            return ""
        return self.other_obstacle

    def tried(self, excluded: Sequence[str]) -> frozenset[str]:
        """The packages that fail, but for those that these masks leave out."""
        return frozenset(name for name in self.failing if not any(fnmatchcase(name, mask) for mask in excluded))

    def shows_output(self, text: str) -> None:
        """The state that a failed run's output comes from, as far as one of our scripts mends it."""
        known = False
        for words, apply in (
            ("No space left on device", self._is_full),
            ("dpkg was interrupted", self._was_interrupted),
            ("rpmdb", self._lost_its_database),
            ("nmet dependencies", self._lacks_a_package),
            ("Hash Sum mismatch", self._has_stale_lists),
            ("repomd.xml: [Errno 14]", self._has_stale_lists),
            ("Metadata file does not match checksum", self._has_stale_lists),
        ):
            if words in text:
                known = True
                apply()
        # A lock that was held then is free long since.
        if not known and not any(words in text for words in LOCKED.values()) and "Could not get lock" not in text:
            self.other_obstacle = text

    def _is_full(self) -> None:
        self.free_kb = 120

    def _was_interrupted(self) -> None:
        self.half_installed = ("linux-image-azure",)

    def _lost_its_database(self) -> None:
        self.manager, self.rpm_database = "yum", "damaged"

    def _lacks_a_package(self) -> None:
        self.unmet = ("libssl3",)

    def _has_stale_lists(self) -> None:
        self.package_lists = "damaged"


def given_linux(where: str, linux: Linux, given: Mapping[str, Json], now: datetime) -> None:
    """Make a machine what a fleet folder says of it. Raises `BrokenFleet`."""
    if unknown := given.keys() - _KNOWN:
        raise BrokenFleet(f"{where}: linux: there is no such key: {', '.join(sorted(unknown))}")
    held = dict(given)
    if "packageManager" in given:
        linux.manager = text_at(held, "packageManager")
    linux.half_installed = tuple(str(name) for name in list_at(held, "halfInstalled")) or linux.half_installed
    linux.unmet = tuple(str(name) for name in list_at(held, "unmet")) or linux.unmet
    linux.rpm_database = text_at(held, "rpmDatabase") or linux.rpm_database
    linux.package_lists = text_at(held, "packageLists") or linux.package_lists
    for key, name in (("freeKb", "free_kb"), ("cacheKb", "cache_kb")):
        number = given.get(key)
        if isinstance(number, int):
            setattr(linux, name, number)
    if "lockedFor" in given:
        length = parse_duration(given["lockedFor"])
        if length is None:
            raise BrokenFleet(f"{where}: linux: lockedFor is not an ISO 8601 duration: {given['lockedFor']!r:.40}")
        linux.locked_until = now + length
    linux.beyond_repair = given.get("beyondRepair") is True
    if "timeService" in given:
        linux.time_service = text_at(held, "timeService")
