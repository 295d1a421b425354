"""Windows machines and their updates: who installs them, what fails, what is not offered, and restarts after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from model.states import FailureState
from simulator import rows
from simulator.draft import DAY, HOUR, Part, Run
from simulator.rows import Offer
from simulator.stories.book import Book, Story
from simulator.templates import Options, Schedule, Vm

_REBOOTS: Final = FailureState.UNEXPLAINED_REBOOTS
_OWN_WAY: Final = FailureState.UPDATES_WITHOUT_DEPLOYMENT
_AGENT: Final = FailureState.UPDATE_AGENT_ERROR
_IN_VAIN: Final = FailureState.MACHINES_DONT_INSTALL
_NOT_SHOWN: Final = FailureState.UPDATES_AVAILABLE_NOT_SHOWN
_SUPERSEDED: Final = FailureState.SUPERSEDED_SHOWN_MISSING
_DEFINITIONS: Final = FailureState.KB2267602_MISSING
_NOT_FOUND: Final = FailureState.INSTALLED_BUT_NOT_FOUND
_UNASSESSED: Final = FailureState.NOT_ASSESSED
_RESTART: Final = (
    "The process {process} ({computer}) has initiated the restart of computer {computer} on behalf of user {user} for "
    "the following reason: Operating System: Service pack (Planned)\r\n Reason Code: 0x80020010\r\n Shutdown Type: "
    "restart\r\n Comment: "
)
_SYSTEM: Final = r"NT AUTHORITY\SYSTEM"
_SCAN_ERRORS: Final = (
    ("Exception from HRESULT: 0x8024402C", "plan", "the name of the update server is not resolved"),
    ("-2145107924", "plan", "0x8024402C as a signed decimal: the name of the update server is not resolved"),
    ("2149842976", "advice", "0x80240020 as an unsigned decimal: nobody is logged on"),
    (
        (
            "The service cannot be started, either because it is disabled or because it has no enabled devices "
            "associated with it. (Exception from HRESULT: 0x80070422)"
        ),
        "plan",
        "the update service is disabled",
    ),
    ("Access is denied. (Exception from HRESULT: 0x80070005 (E_ACCESSDENIED))", "plan", "access is denied"),
    ("0x80240438 -> (HRESULT: 0x8024401C)", "plan", "the last, inner code of two: the server took too long"),
)
"""What the update agent of a machine says that cannot scan, and what comes of it."""


def _offer(book: Book, title: str, kb: str) -> Offer:
    return Offer(
        id=book.guid("kb", kb), title=title, kb=kb, product="Windows Server 2019", published=book.now - 40 * DAY
    )


def _daily(book: Book) -> Schedule:
    """It ran half a day ago."""
    return Schedule(every="Day", next_run=(book.now + 12 * HOUR).replace(minute=0), duration=2 * HOUR)


def _restarts(book: Book, vm: Vm, when: timedelta, process: str, user: str = _SYSTEM) -> None:
    """So long after the newest run of a daily deployment began."""
    at = _daily(book).run(1) + when
    text = _RESTART.format(process=process, computer=vm.name.upper(), user=user)
    book.logs(vm, at, 1074, "User32", text)
    book.logs(vm, at + timedelta(minutes=2), 6005, "EventLog", "The Event log service was started.")


def _patched(book: Book, reboot: str) -> Vm:
    """A machine that a daily deployment has patched half a day ago."""
    vm = book.machine("pos")
    book.lives(vm)
    name, schedule = f"Daily-{vm.name}", _daily(book)
    book.progress(vm, name, schedule, 1, kb="5034768", status="Succeeded", early=True)
    book.deployment(name, [vm, book.base], schedule, [Run(), Run()], options=Options(reboot=reboot))
    return vm


def restarted_by_windows_update(book: Book) -> None:
    vm = _patched(book, "Never")
    process = book.rng.choice((r"C:\Windows\system32\MoUsoCoreWorker.exe", r"C:\Windows\system32\svchost.exe"))
    _restarts(book, vm, 3 * HOUR, process)
    book.suffers(_REBOOTS, vm.key, "plan", "Windows Update restarted it after a run that must never restart")


def restarted_for_good_reason(book: Book) -> None:
    agent = r"C:\Windows\system32\MoUsoCoreWorker.exe"
    by_hand = _patched(book, "Never")
    _restarts(book, by_hand, 3 * HOUR, r"C:\Windows\Explorer.EXE", r"FABRIKAM\anna")
    book.is_spared([_REBOOTS], [by_hand.key], "a person restarted it")
    allowed = _patched(book, "IfRequired")
    _restarts(book, allowed, 3 * HOUR, agent)
    book.is_spared([_REBOOTS], [allowed.key], "its deployment may restart it")
    before = _patched(book, "Never")
    _restarts(book, before, -3 * HOUR, agent)
    book.is_spared([_REBOOTS], [before.key], "it restarted before the run")


def by_its_own_schedule(book: Book) -> None:
    """It is in a deployment, and installs beside it; another one is in none."""
    for covered in (True, False):
        vm = book.machine("file")
        book.beats(vm, since=book.since(4))
        offer = _offer(book, "2026-02 Security Update for Windows Server 2019", "5035000")
        book.is_assessed(vm, when=book.now - 40 * HOUR, setting=rows.SCHEDULED, offers=[offer])
        book.is_assessed(vm, setting=rows.SCHEDULED, offers=[replace(offer, state="Installed")])
        if covered:
            book.ordinary["Windows"].append(vm)
            book.suffers(_OWN_WAY, vm.key, "plan", "it installs by its own schedule beside its deployment")
        else:
            why = "it installs by its own schedule, and no deployment would in its place"
            book.suffers(_OWN_WAY, vm.key, "advice", why)


def not_by_its_own_schedule(book: Book) -> None:
    """Mended since yesterday; and one that took nothing but definitions by itself."""
    mended = book.machine("file")
    book.beats(mended, since=book.since(4))
    book.is_assessed(mended, when=book.now - 20 * HOUR, setting=rows.SCHEDULED)
    book.is_assessed(mended)
    definitions = book.machine("file")
    book.beats(definitions, since=book.since(4))
    known = replace(
        _offer(book, "Security Intelligence Update for Microsoft Defender Antivirus", "2267602"),
        classification="Definition Updates", published=book.now - DAY,
    )  # fmt: skip
    book.is_assessed(definitions, when=book.now - 20 * HOUR, offers=[known])
    tomorrow = replace(known, id=book.guid("definitions of today"), published=book.now - HOUR)
    book.is_assessed(definitions, offers=[replace(known, state="Installed"), tomorrow])
    book.ordinary["Windows"] += [mended, definitions]
    book.is_spared([_OWN_WAY], [mended.key], "its newest assessment says that it only notifies")
    book.is_spared([_OWN_WAY, _DEFINITIONS], [definitions.key], "definitions come every day, by themselves")


def cannot_scan(book: Book) -> None:
    """Each with its own spelling of a code; nothing is assessed as long as the agent is unwell."""
    for text, then, why in book.rng.sample(_SCAN_ERRORS, 3):
        vm = book.machine("term")
        book.beats(vm, since=book.since(4))
        book.is_assessed(vm, when=book.now - 30 * HOUR)
        book.is_assessed(vm, setting=rows.UNHEALTHY, server=text, offers=[])
        book.suffers(_AGENT, vm.key, then, why)
        book.is_spared([_UNASSESSED], [vm.key], "its update agent is unwell, and cannot assess it")


def server_in_trouble(book: Book) -> None:
    """Most clients of one server say the same of it: one finding, on the server."""
    server = f"{book.name('wsus')}.fabrikam.com"
    count = book.rng.randint(3, 4)
    for number in range(count + 1):
        vm = book.machine("term")
        book.beats(vm, since=book.since(4))
        book.is_assessed(vm, when=book.now - 30 * HOUR, server=f"http://{server}:8530")
        if number < count:
            said = "Exception from HRESULT: 0x80244022"
            book.is_assessed(vm, setting=rows.UNHEALTHY, server=said, offers=[])
            book.is_spared([_AGENT, _UNASSESSED], [vm.key], "its server is in trouble, which is one finding on that")
        else:
            book.is_assessed(vm, server=f"http://{server}:8530")
    book.suffers(_AGENT, f"name:{server}", "advice", "its clients get HTTP 503 from it", count)


def fails_with_a_code(book: Book) -> None:
    """Twice in a row; the code says why, so that it is not patched in vain for want of a reason."""
    vm = book.machine("hr")
    book.lives(vm)
    name, schedule = f"Weekly-{vm.name}", book.weekly()
    failed = Run(parts={vm.id: Part(status="Failed")})
    for back in (2, 1):
        book.progress(vm, name, schedule, back, kb="5034768", status="InstallFailed", error="0x80242006")
    book.deployment(name, [vm], schedule, [Run(), failed, failed])
    book.suffers(_AGENT, vm.key, "plan", "its update store is damaged, as the code says")
    book.is_spared([_IN_VAIN], [vm.key], "a code says why")


def failed_and_recovered(book: Book) -> None:
    """On the second try; in an older run; yesterday."""
    retried = book.machine("hr")
    book.lives(retried)
    name, schedule = f"Weekly-{retried.name}", book.weekly()
    book.progress(retried, name, schedule, 1, kb="5034768", status="InstallFailed", error="0x80242006", early=True)
    book.progress(retried, name, schedule, 1, kb="5034768", status="Succeeded")
    book.deployment(name, [retried], schedule, [Run(), Run()])
    older = book.machine("hr")
    book.lives(older)
    name, schedule = f"Weekly-{older.name}", book.weekly()
    book.progress(older, name, schedule, 2, kb="5034768", status="InstallFailed", error="0x80242006")
    book.progress(older, name, schedule, 1, kb="5034768", status="Succeeded")
    book.deployment(name, [older], schedule, [Run(parts={older.id: Part(status="Failed")}), Run()])
    yesterday = book.machine("hr")
    book.beats(yesterday, since=book.since(4))
    said = "Exception from HRESULT: 0x8024402C"
    book.is_assessed(yesterday, when=book.now - 13 * HOUR, setting=rows.UNHEALTHY, server=said, offers=[])
    book.is_assessed(yesterday)
    targets = [retried.key, older.key, yesterday.key]
    book.is_spared([_AGENT, _IN_VAIN, _UNASSESSED], targets, "what failed went well since")


def fails_again_and_again(book: Book) -> None:
    """Runs that fail on a machine; an update that fails and stays needed. Nothing says why."""
    vm = book.machine("law")
    book.lives(vm)
    failed = Run(parts={vm.id: Part(status="Failed")})
    book.deployment(f"Weekly-{vm.name}", [vm], book.weekly(), [Run(), failed, failed])
    book.suffers(_IN_VAIN, vm.key, "advice", "two runs in a row failed on it, and nothing says why")
    other = book.machine("law")
    book.lives(other)
    name, schedule = f"Weekly-{other.name}", book.weekly()
    needed = book.usual_offer(other)
    book.progress(other, name, schedule, 1, kb=needed.kb, update_id=needed.id, status="InstallFailed")
    book.deployment(name, [other], schedule, [Run(), Run()])
    book.suffers(_IN_VAIN, other.key, "advice", "an update failed without a code, and is needed still")


def failed_only_once(book: Book) -> None:
    once = book.machine("law")
    book.lives(once)
    failed = Run(parts={once.id: Part(status="Failed")})
    book.deployment(f"Weekly-{once.name}", [once], book.weekly(), [failed, Run(), failed])
    not_needed = book.machine("law")
    book.lives(not_needed)
    name, schedule = f"Weekly-{not_needed.name}", book.weekly()
    book.progress(not_needed, name, schedule, 1, kb="5031000", status="InstallFailed")
    book.deployment(name, [not_needed], schedule, [Run(), Run()])
    book.is_spared([_IN_VAIN], [once.key], "one failed run, and not two in a row")
    book.is_spared([_IN_VAIN], [not_needed.key], "what failed is not needed any more")


def _clients(book: Book, server: str, offers: Sequence[Offer], count: int = 2) -> list[Vm]:
    """Machines of a WSUS server that have assessed the same."""
    vms = [book.machine("desk") for _ in range(count)]
    for vm in vms:
        book.beats(vm, since=book.since(4))
        book.is_assessed(vm, server=f"http://{server}:8530", offers=offers)
        book.ordinary["Windows"].append(vm)
    return vms


def not_approved(book: Book) -> None:
    server = f"{book.name('wsus')}.fabrikam.com"
    offer = replace(_offer(book, "2026-01 Security Update (KB5034122)", "5034122"), source="WSUS", approved=False)
    _clients(book, server, [offer])
    book.suffers(_NOT_SHOWN, f"name:{server}", "advice", "updates that its clients need are not approved on it", 2)


def approved(book: Book) -> None:
    server = f"{book.name('wsus')}.fabrikam.com"
    fine = replace(_offer(book, "2026-01 Security Update (KB5034122)", "5034122"), source="WSUS")
    definitions = replace(fine, id=book.guid("definitions"), kb="2267602", title="Security Intelligence Update",
                          classification="Definition Updates", approved=False, published=book.now - DAY)  # fmt: skip
    vms = _clients(book, server, [fine, definitions])
    targets = [f"name:{server}", *(vm.key for vm in vms)]
    book.is_spared([_NOT_SHOWN, _DEFINITIONS], targets, "approved, or definitions that come every day")


def superseded(book: Book) -> None:
    server = f"{book.name('wsus')}.fabrikam.com"
    old = replace(
        _offer(book, "2026-01 Cumulative Update for Windows Server 2019 (KB5034127)", "5034127"), source="WSUS"
    )
    new = replace(
        _offer(book, "2026-02 Cumulative Update for Windows Server 2019 (KB5034768)", "5034768"), source="WSUS"
    )
    _clients(book, server, [old, replace(new, state="Installed")])
    book.suffers(_SUPERSEDED, f"name:{server}", "advice", "it has not declined what a later update replaced", 2)


def not_superseded(book: Book) -> None:
    """The later one is the one that is needed; the later one is of another product."""
    server = f"{book.name('wsus')}.fabrikam.com"
    old = replace(
        _offer(book, "2026-01 Cumulative Update for Windows Server 2019 (KB5034127)", "5034127"), source="WSUS"
    )
    new = replace(
        _offer(book, "2026-02 Cumulative Update for Windows Server 2019 (KB5034768)", "5034768"), source="WSUS"
    )
    framework = replace(_offer(book, "2026-02 Cumulative Update for .NET Framework 4.8 (KB5034619)", "5034619"),
                        source="WSUS", state="Installed")  # fmt: skip
    _clients(book, server, [replace(old, state="Installed"), new], 1)
    _clients(book, server, [replace(old, state="Needed"), framework], 1)
    book.is_spared([_SUPERSEDED], [f"name:{server}"], "nothing that is installed replaces what is needed")


def restarted_by_nobody(book: Book) -> None:
    """The log says that it restarted and not who asked for it; its policy tells, inside."""
    for driven in (True, False):
        vm = _patched(book, "Never")
        book.starts(vm, _daily(book).run(1) + 3 * HOUR)
        if driven:
            book.guests[vm.key] = {"diagnosis": {"rbp": "W:scheduled"}}
            why = "inside, a policy of Windows Update restarts it"
            book.suffers(_REBOOTS, vm.key, "plan", why, inside=True)
        else:
            book.is_spared([_REBOOTS], [vm.key], "inside, no policy restarts it")


def old_definitions(book: Book) -> None:
    """A definition update of last week is needed still; how old the signatures are shows inside."""
    for age in (6, 1):
        vm = book.machine("kiosk")
        book.beats(vm, since=book.since(4))
        offer = replace(
            _offer(book, "Security Intelligence Update for Microsoft Defender Antivirus", "2267602"),
            id=book.guid("definitions of last week"), classification="Definition Updates", published=book.now - 6 * DAY,
        )  # fmt: skip
        book.is_assessed(vm, offers=[book.usual_offer(vm), offer])
        book.guests[vm.key] = {"windows": {"signatureAge": age}}
        if age > 3:
            book.suffers(_DEFINITIONS, vm.key, "plan", "inside, its signatures are six days old", inside=True)
        else:
            book.is_spared([_DEFINITIONS], [vm.key], "inside, its signatures are of yesterday")


def installed_by_another(book: Book) -> None:
    """An update counts as installed because a later one holds it; whether the machine lists it shows inside."""
    for listed in (["5034768"], ["5034127", "5034768"]):
        vm = book.machine("kiosk")
        book.beats(vm, since=book.since(4))
        old = _offer(book, "2026-01 Cumulative Update for Windows Server 2019 (KB5034127)", "5034127")
        new = _offer(book, "2026-02 Cumulative Update for Windows Server 2019 (KB5034768)", "5034768")
        book.is_assessed(vm, offers=[replace(old, state="Installed"), replace(new, state="Installed")])
        book.guests[vm.key] = {"installedUpdates": [*listed]}
        if len(listed) == 1:
            book.suffers(_NOT_FOUND, vm.key, "advice", "inside, the earlier update is not listed", inside=True)
        else:
            book.is_spared([_NOT_FOUND], [vm.key], "inside, both updates are listed")


STORIES: Final = (
    Story(2, restarted_by_nobody, injury=True),
    Story(2, old_definitions, injury=True),
    Story(2, installed_by_another, injury=True),
    Story(1, restarted_by_windows_update, injury=True),
    Story(2, by_its_own_schedule, injury=True),
    Story(3, cannot_scan, injury=True),
    Story(5, server_in_trouble, injury=True),
    Story(1, fails_with_a_code, injury=True),
    Story(2, fails_again_and_again, injury=True),
    Story(2, not_approved, injury=True),
    Story(2, superseded, injury=True),
    Story(3, restarted_for_good_reason),
    Story(2, not_by_its_own_schedule),
    Story(3, failed_and_recovered),
    Story(2, failed_only_once),
    Story(2, approved),
    Story(2, not_superseded),
)
"""Those of large estates."""
