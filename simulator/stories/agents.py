"""What agents complain about in the logs that the workspace collects."""

from __future__ import annotations

from typing import Final

from model.states import FailureState
from simulator.stories.book import Book

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
