"""What agents complain about in the logs that the workspace collects."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from model.states import FailureState
from simulator.draft import HOUR
from simulator.stories.book import Book, Story

_OTHER_ACCOUNT: Final = FailureState.MACHINE_REGISTERED_TO_DIFFERENT_ACCOUNT
_SILENCED: Final = FailureState.MACHINE_CANNOT_COMMUNICATE
_CERTIFICATE: Final = FailureState.SELFSIGNED_CERT_FAILURE
_UNCLASSIFIED: Final = FailureState.HYBRID_AGENT_EVENT_4502
_COMPLAINTS: Final = (
    (_OTHER_ACCOUNT, "advice", '{"Message":"Machine is already registered to a different account."}'),
    (_SILENCED, "plan", "they do not possess a common algorithm"),
    (_SILENCED, "advice", "Newtonsoft.Json.JsonReaderException: Error parsing positive infinity value."),
    (_CERTIFICATE, "plan", "CertificateCreationException: Failed to create a self-signed certificate."),
    (_UNCLASSIFIED, "advice", "Object reference not set to an instance of an object."),
)
"""What agents complain about: the state that it means, what comes of it, and the text."""


def complaining_agents(book: Book) -> None:
    """One machine for each complaint; and two whose logs say something else, or said it days ago."""
    said = "A module of type Microsoft.EnterpriseManagement.HealthService.AzureAutomation.HybridAgent: "
    for state, then, text in _COMPLAINTS:
        vm = book.ordinary_machine("Windows")
        for hours in (1, 5, 20):
            book.complains(vm, f"{said}{text} (try {hours})", hours=hours)
        book.suffers(state, vm.key, then, f"its agent says: {text}")
    long_ago, other = book.ordinary_machine("Windows"), book.ordinary_machine("Windows")
    book.complains(long_ago, f"{said}{_COMPLAINTS[0][2]}", hours=30)
    book.complains(other, "A module of another component failed.")
    book.is_spared(
        sorted({state for state, *_ in _COMPLAINTS}), [long_ago.key, other.key], "said more than a day ago, or of "
        "another component",
    )  # fmt: skip


_AGENT: Final = "A module of type Microsoft.EnterpriseManagement.HealthService.AzureAutomation.HybridAgent reported: "
_REGISTERED_ELSEWHERE: Final = (
    "Unable to Register Machine for Patch Management, Registration Failed with Exception "
    'System.InvalidOperationException: {"Message":"Machine is already registered to a different account."}'
)
REGISTERED_ELSEWHERE: Final = f"{_AGENT}{_REGISTERED_ELSEWHERE}"
_TEXTS: Final = (
    (_OTHER_ACCOUNT, "advice", _REGISTERED_ELSEWHERE),
    (
        _SILENCED,
        "plan",
        (
            "Unable to Register Machine for Patch Management, Registration Failed with Exception "
            "System.Net.Http.HttpRequestException: An error occurred while sending the request. ---> "
            "System.Net.WebException: The underlying connection was closed: An unexpected error occurred on a receive. "
            "---> System.ComponentModel.Win32Exception: The client and server can't communicate, because they do not "
            "possess a common algorithm"
        ),
    ),
    (
        _SILENCED,
        "advice",
        (
            "Unable to Register Machine for Patch Management, Registration Failed with Exception "
            "Newtonsoft.Json.JsonReaderException: Error parsing positive infinity value."
        ),
    ),
    (
        _SILENCED,
        "advice",
        (
            "The certificate presented by the service 1f2e3d4c.oms.opinsights.azure.com was not issued by a "
            "certificate authority used for Microsoft services. Contact your network administrator to see if they are "
            "running a proxy that intercepts TLS/SSL communication."
        ),
    ),
    (_SILENCED, "advice", "Access is denied. (Exception form HRESULT: 0x80070005(E_ACCESSDENIED))"),
    (
        _CERTIFICATE,
        "plan",
        (
            "Unable to Register Machine for Patch Management, Registration Failed with Exception AgentService."
            "HybridRegistration. PowerShell.Certificates.CertificateCreationException: Failed to create a self-signed "
            "certificate. ---> System.UnauthorizedAccessException: Access is denied."
        ),
    ),
    (
        FailureState.WORKER_REGISTRATION_FORBIDDEN,
        "advice",
        "Forbidden: You don't have permission to access / on this server.",
    ),
    (
        FailureState.FAILED_TO_ENABLE_UPDATE_SOLUTION,
        "advice",
        "Error details: Failed to enable the Update solution",
    ),
    (_UNCLASSIFIED, "advice", "Object reference not set to an instance of an object."),
)
"""The articles' texts in full, each with the state that it means and what comes of it."""
_WORKER_LOG: Final = "Microsoft-SMA/Operational"


def complaining_in_full(book: Book) -> None:
    """As many as there are texts; a registration that fails says so again and again."""
    for state, then, text in _TEXTS:
        vm = book.ordinary_machine("Windows")
        for hours in sorted(book.rng.sample(range(1, 23), 2)):
            book.complains(vm, f"{_AGENT}{text}", hours=hours)
        book.suffers(state, vm.key, then, f"its agent says: {text[:80]}")
        if state is not _UNCLASSIFIED:
            book.is_spared([_UNCLASSIFIED], [vm.key], "what its agent says is known")


def channel_times_out(book: Book) -> None:
    vm = book.ordinary_machine("Windows")
    text = "The SignalR connection for hybrid worker jobs timed out while it was set up."
    book.complains(vm, text, log=_WORKER_LOG, event=15011, hours=3)
    why = "the channel that brings its worker jobs times out"
    book.suffers(FailureState.WORKER_SIGNALR_TIMEOUT, vm.key, "advice", why)


def complaints_of_others(book: Book) -> None:
    """The same words in another log, under another event, of another component, two days ago."""
    text = f"{_AGENT}{_TEXTS[0][2]}"
    vms = [book.ordinary_machine("Windows") for _ in range(4)]
    book.complains(vms[0], text, log="Application")
    book.complains(vms[1], text, event=4501)
    book.complains(vms[2], "Failed to create a self-signed certificate for the web server.")
    book.complains(vms[3], text, hours=47)
    book.complains(vms[3], "SignalR timed out.", log=_WORKER_LOG, event=15011, hours=47)
    states = sorted({*(state for state, *_ in _TEXTS), FailureState.WORKER_SIGNALR_TIMEOUT})
    book.is_spared(states, [vm.key for vm in vms], "another log, event or component, or said long ago")


def solution_not_enabled(book: Book) -> None:
    """The workspace says so itself; or that it went well in the end."""
    went_well = book.rng.random() < 0.3
    state, target = FailureState.FAILED_TO_ENABLE_UPDATE_SOLUTION, book.workspace.lower()
    text = "Error details: Failed to enable the Update solution"
    when = book.now - (30 if went_well else 3) * HOUR
    book.reports(when, text, computer=book.base.computer, status="Error", category="Solution targeting")
    if went_well:
        book.is_spared([state], [target], "it said so more than a day ago")
    else:
        book.suffers(state, target, "advice", "it could not give its machines the solution", 0)


def clock_ahead(book: Book) -> None:
    vm = book.machine("clock", book.rng.choice(("Windows", "Linux")))
    book.beats(vm, since=book.since(2), until=book.now + timedelta(minutes=book.rng.randint(20, 150)))
    book.is_assessed(vm)
    book.suffers(FailureState.CLOCK_SKEW, vm.key, "plan", "its beats are stamped with a time that is to come")


def refused_for_its_clock(book: Book) -> None:
    """The service refuses what is signed in the future: the clock comes first."""
    vm = book.machine("clock")
    book.beats(vm, since=book.since(2), until=book.now + timedelta(minutes=40))
    book.is_assessed(vm)
    book.complains(vm, f"{_AGENT}Forbidden: You don't have permission to access / on this server.", hours=2)
    book.suffers(FailureState.CLOCK_SKEW, vm.key, "plan", "its clock is ahead, and the service refuses it for that")
    book.is_spared([FailureState.WORKER_REGISTRATION_FORBIDDEN], [vm.key], "its clock is ahead")


def clock_nearly_right(book: Book) -> None:
    vm = book.machine("clock")
    book.beats(vm, since=book.since(2), until=book.now + timedelta(minutes=book.rng.randint(6, 14)))
    book.is_assessed(vm)
    book.is_spared([FailureState.CLOCK_SKEW], [vm.key], "the service forgives a quarter of an hour")


STORIES: Final = (
    Story(9, complaining_in_full, injury=True),
    Story(1, channel_times_out, injury=True),
    Story(0, solution_not_enabled, injury=True),
    Story(1, clock_ahead, injury=True),
    Story(1, refused_for_its_clock, injury=True),
    Story(4, complaints_of_others),
    Story(1, clock_nearly_right),
)
"""Those of large estates, beside the first one."""
