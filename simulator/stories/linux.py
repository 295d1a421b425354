"""Linux machines: runs that fail, classifications that they do not have, packages that stay pending."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from model.states import FailureState
from simulator.draft import DAY, HOUR, Part, Run
from simulator.rows import Offer
from simulator.stories.book import Book, Story
from simulator.templates import Options, Schedule, Vm

_FAILED: Final = FailureState.LINUX_RUN_FAILED
_CAVEAT: Final = FailureState.LINUX_CLASSIFICATION_CAVEAT
_PENDING: Final = FailureState.LINUX_PENDING_VS_INSTALLED_DIFFER
_SECURITY_ONLY: Final = Options(packages="Critical, Security")
_OUTPUTS: Final = (
    ("E: dpkg was interrupted, you must manually run 'sudo dpkg --configure -a' to correct the problem.", "plan"),
    ("E: Could not get lock /var/lib/dpkg/lock-frontend - open (11: Resource temporarily unavailable)", "advice"),
    ("error: rpmdb open failed", "plan"),
    ("E: Failed to fetch http://archive.example.org/dists/focal/InRelease  Hash Sum mismatch", "plan"),
    ("W: Failed to fetch http://archive.example.org/dists/focal/InRelease  Could not resolve 'archive.example.org'",
     "advice"),
    ("The following packages have unmet dependencies:\n libssl-dev : Depends: libssl1.1 (= 1.1.1f-1)", "plan"),
    ("dpkg: error processing archive: cannot copy extracted data: No space left on device", "plan"),
    ("The process ended.", "advice"),
)  # fmt: skip
"""What jobs write on machines where they fail, and what comes of it."""


def failed(book: Book) -> None:
    for output, then in book.rng.sample(_OUTPUTS, 3):
        vm = book.machine("node", "Linux")
        book.lives(vm)
        text = f"Reading package lists...\n{output}\nUpdate run failed."
        run = Run(parts={vm.id: Part(status="Failed", output=text)})
        book.deployment(f"Weekly-{vm.name}", [vm], book.weekly(), [Run(), run], system="Linux")
        book.suffers(_FAILED, vm.key, then, f"the newest run failed on it: {output[:60]}")


def failed_for_a_package(book: Book) -> None:
    vm = book.machine("node", "Linux")
    book.lives(vm)
    name, schedule = f"Weekly-{vm.name}", book.weekly()
    for back in (2, 1):
        book.progress(vm, name, schedule, back, status="Failed", product="grub-efi-amd64")
    run = Run(parts={vm.id: Part(status="Failed", output="Update run failed.")})
    book.deployment(name, [vm], schedule, [run, run], system="Linux")
    book.suffers(_FAILED, vm.key, "plan", "the same package failed in two runs")


def failed_before(book: Book) -> None:
    """A later run went well; the deployment is disabled."""
    text = "E: dpkg was interrupted, you must manually run 'sudo dpkg --configure -a' to correct the problem."
    later, disabled = book.machine("node", "Linux"), book.machine("node", "Linux")
    for vm in (later, disabled):
        book.lives(vm)
    run = Run(parts={later.id: Part(status="Failed", output=text)})
    book.deployment(f"Weekly-{later.name}", [later], book.weekly(), [run, Run()], system="Linux")
    asleep = Schedule(every="Week", next_run=book.later("Week"), duration=2 * HOUR, enabled=False)
    run = Run(parts={disabled.id: Part(status="Failed", output=text)})
    book.deployment(f"Weekly-{disabled.name}", [disabled], asleep, [Run(), run], system="Linux")
    book.is_spared([_FAILED], [later.key, disabled.key], "a later run went well, or no other run comes")


def _centos(book: Book) -> Vm:
    vm = book.machine("rpm", "Linux", os_name="CentOS Linux")
    book.lives(vm)
    return vm


def without_classifications(book: Book) -> None:
    """CentOS has none, so that a run that selects by them installs nothing, and what is pending stays."""
    vm = _centos(book)
    schedule = book.weekly()
    _needs(book, vm, "bind", schedule.run(1) - 2 * DAY)
    name = f"Weekly-{vm.name}"
    target = book.deployment(name, [vm], schedule, [Run(), Run()], system="Linux", options=_SECURITY_ONLY)
    book.suffers(_CAVEAT, target, "plan", "it selects by classifications that CentOS does not have")
    book.is_spared([_PENDING], [target], "what it cannot classify it does not install")


def without_classifications_among_others(book: Book) -> None:
    vm, other = _centos(book), book.machine("deb", "Linux")
    book.lives(other)
    name = f"Weekly-{vm.name}"
    vms = [vm, other]
    target = book.deployment(name, vms, book.weekly(), [Run(), Run()], system="Linux", options=_SECURITY_ONLY)
    book.suffers(_CAVEAT, target, "advice", "one of its machines is CentOS, and the other one has classifications")


def with_all_classifications(book: Book) -> None:
    """CentOS with all three; CentOS in a disabled deployment; another system with two."""
    every, idle = _centos(book), _centos(book)
    other = book.machine("deb", "Linux")
    book.lives(other)
    asleep = Schedule(every="Week", next_run=book.later("Week"), duration=2 * HOUR, enabled=False)
    targets = [
        book.deployment(f"Weekly-{every.name}", [every], book.weekly(), [Run()], system="Linux"),
        book.deployment(f"Weekly-{idle.name}", [idle], asleep, [Run()], system="Linux", options=_SECURITY_ONLY),
        book.deployment(
            f"Weekly-{other.name}", [other], book.weekly(), [Run()], system="Linux", options=_SECURITY_ONLY
        ),
    ]
    book.is_spared([_CAVEAT, _PENDING], targets, "nothing is left out that the machines could not tell apart")


def _needs(book: Book, vm: Vm, package: str, since: datetime) -> None:
    """A package that its assessments have called for since then."""
    offer = Offer(id=book.guid("package", package), title=package, kb="", product=package, published=since - DAY)
    for when in (since, book.now - timedelta(minutes=book.rng.randint(10, 55))):
        book.is_assessed(vm, when=when, offers=[offer])


def pending(book: Book) -> None:
    """A run that selects security updates succeeded and left one, which no row of the run mentions."""
    vm = book.machine("deb", "Linux")
    book.beats(vm, since=book.since(12))
    schedule = book.weekly()
    _needs(book, vm, "libxml2", schedule.run(1) - 2 * DAY)
    name = f"Weekly-{vm.name}"
    target = book.deployment(name, [vm], schedule, [Run(), Run()], system="Linux", options=_SECURITY_ONLY)
    book.suffers(_PENDING, target, "advice", "what was pending before its run is pending after it")


def pending_for_good_reason(book: Book) -> None:
    """Needed since the run only; left out by a mask; failed in the run, which is another matter."""
    since, masked, excluded = (book.machine("deb", "Linux") for _ in range(3))
    targets = []
    for vm, options in (
        (since, _SECURITY_ONLY),
        (masked, replace(_SECURITY_ONLY, excluded=("libxml*",))),
        (excluded, _SECURITY_ONLY),
    ):
        book.beats(vm, since=book.since(12))
        schedule = book.weekly()
        name = f"Weekly-{vm.name}"
        _needs(book, vm, "libxml2", schedule.run(1) + 6 * HOUR if vm is since else schedule.run(1) - 2 * DAY)
        if vm is excluded:
            book.progress(vm, name, schedule, 1, status="Excluded", product="libxml2")
        targets.append(book.deployment(name, [vm], schedule, [Run(), Run()], system="Linux", options=options))
    book.is_spared([_PENDING], targets, "needed since the run only, or left out because somebody wanted it so")


STORIES: Final = (
    Story(3, failed, injury=True),
    Story(1, failed_for_a_package, injury=True),
    Story(1, without_classifications, injury=True),
    Story(2, without_classifications_among_others, injury=True),
    Story(1, pending, injury=True),
    Story(2, failed_before),
    Story(3, with_all_classifications),
    Story(3, pending_for_good_reason),
)
"""Those of large estates."""
