"""An estate that suffers from everything that Patchwright mends: one case for each fix."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from model.documents import Document
from model.states import FailureState
from simulator import rows
from simulator.draft import DAY, HOUR, Part, Run
from simulator.fleet import Fleet
from simulator.stories import agents, groups, identities, linux, portal, starts, subscriptions, updates, windows
from simulator.stories.book import Book
from simulator.templates import Schedule

NOW: Final = datetime(2026, 3, 10, 6, 0, tzinfo=UTC)
_SCANS: Final = {
    "rescan-updates": "Exception from HRESULT: 0x8024402C",
    "start-update-service": "Exception from HRESULT: 0x80070422",
    "reset-update-store": "Exception from HRESULT: 0x80248007",
    "grant-update-store": "Access is denied. (Exception from HRESULT: 0x80070005 (E_ACCESSDENIED))",
}
"""What a scan for updates ends with, by the remediation that mends it."""
_RUNS: Final = {
    "configure-packages": "E: dpkg was interrupted, you must manually run 'sudo dpkg --configure -a' to correct it.",
    "fix-dependencies": "The following packages have unmet dependencies:\n libssl-dev : Depends: libssl1.1",
    "rebuild-rpmdb": "error: rpmdb open failed",
    "refresh-metadata": "E: Failed to fetch http://archive.example.org/dists/focal/InRelease  Hash Sum mismatch",
    "clean-package-cache": "dpkg: error processing archive: cannot copy extracted data: No space left on device",
}
"""What a run on Linux ends with, likewise."""


def suffering() -> Fleet:
    """Small, and nothing in it hides anything else."""
    book = Book(48, 3, NOW)
    for tell in (
        subscriptions.unregistered_providers,
        identities.source_id_changed,
        identities.clones,
        windows.window_exceeded,
        starts.stopped_and_tagged,
        starts.deleted,
        starts.moved_away,
        starts.unreachable,
        starts.purged,
        groups.without_workers,
        portal.silent,
        portal.unassessed,
        portal.out_of_scope,
        agents.complaining_agents,
        agents.clock_ahead,
        updates.restarted_by_windows_update,
        updates.by_its_own_schedule,
        linux.failed_for_a_package,
        linux.without_classifications,
    ):
        tell(book)
    _fails_for_an_update(book)
    for why, text in _SCANS.items():
        _cannot_scan(book, why, text)
    for why, text in _RUNS.items():
        _failed(book, why, text)
    return book.fleet(FailureState)


def _fails_for_an_update(book: Book) -> None:
    """The same update fails in run after run, without a code, and is needed still."""
    vm = book.machine("law")
    book.lives(vm)
    name, schedule, needed = f"Weekly-{vm.name}", book.weekly(), book.usual_offer(vm)
    for back in (2, 1):
        book.progress(vm, name, schedule, back, kb=needed.kb, update_id=needed.id, status="InstallFailed")
    book.deployment(name, [vm], schedule, [Run(), Run()])
    book.suffers(FailureState.MACHINES_DONT_INSTALL, vm.key, "plan", "an update failed in two runs of its deployment")


def _cannot_scan(book: Book, why: str, text: str) -> None:
    vm = book.machine("term")
    book.beats(vm, since=book.since(4))
    book.is_assessed(vm, when=book.now - 30 * HOUR)
    book.is_assessed(vm, setting=rows.UNHEALTHY, server=text, offers=[])
    book.suffers(FailureState.UPDATE_AGENT_ERROR, vm.key, "plan", why)


def _failed(book: Book, why: str, text: str) -> None:
    """Half an hour ago, and its window is open still: packages are mended within one only."""
    vm = book.machine("node", "Linux")
    book.lives(vm)
    run = Run(parts={vm.id: Part(status="Failed", output=f"Reading package lists...\n{text}\nUpdate run failed.")})
    schedule = Schedule(every="Day", next_run=NOW + DAY - HOUR / 2, duration=2 * HOUR)
    book.deployment(f"Daily-{vm.name}", [vm], schedule, [Run(), run], system="Linux")
    book.suffers(FailureState.LINUX_RUN_FAILED, vm.key, "plan", why)


def suffering_inside() -> Fleet:
    """What a look inside, an operator's word or a second try is needed for."""
    book = Book(12, 5, NOW)
    updates.old_definitions(book)
    updates.failed_and_recovered(book)
    _lost_its_cache(book)
    _was_disabled(book)
    _has_no_room(book)
    _asks_no_server(book)
    return book.fleet(FailureState)


def _lost_its_cache(book: Book) -> None:
    """A restart does not help its agent, a new cache does."""
    vm = book.machine("term")
    book.beats(vm, since=book.since(6), until=NOW - 5 * HOUR)
    book.guests[vm.key] = {"windows": {"agentCache": "damaged"}}
    book.suffers(FailureState.NO_HEARTBEAT, vm.key, "plan", "the cache of its agent is damaged")


def _was_disabled(book: Book) -> None:
    """Somebody disabled its agent, which shows inside."""
    vm = book.machine("term")
    book.beats(vm, since=book.since(6), until=NOW - 5 * HOUR)
    book.guests[vm.key] = {"healthService": "Disabled"}
    book.suffers(FailureState.NO_HEARTBEAT, vm.key, "plan", "its agent is disabled", inside=True)


def _has_no_room(book: Book) -> None:
    """Downloaded updates fill its system drive, which shows inside."""
    vm = book.machine("term")
    book.beats(vm, since=book.since(4))
    book.is_assessed(vm, when=book.now - 30 * HOUR)
    book.is_assessed(vm, setting=rows.UNHEALTHY, server=_SCANS["grant-update-store"], offers=[])
    book.guests[vm.key] = {"windows": {"freeBytes": 300 * 2**20, "downloadedBytes": 5 * 2**30}}
    book.suffers(FailureState.UPDATE_AGENT_ERROR, vm.key, "plan", "its drive is full", inside=True)


def _asks_no_server(book: Book) -> None:
    """Its policy says that it takes updates from a WSUS server, and not from which."""
    vm = book.machine("term")
    book.beats(vm, since=book.since(4))
    book.is_assessed(vm, when=book.now - 30 * HOUR)
    book.is_assessed(vm, setting=rows.UNHEALTHY, server="Exception from HRESULT: 0x80244011", offers=[])
    policy: Document = {"SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate\\AU": {"UseWUServer": 1}}
    book.guests[vm.key] = {"windows": {"registry": policy}}
    book.suffers(FailureState.UPDATE_AGENT_ERROR, vm.key, "plan", "its policy names no WSUS server")
