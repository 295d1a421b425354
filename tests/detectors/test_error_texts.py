"""The table of error texts, and the article's own words against it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.error_texts import InvalidErrorTexts, SeenIn, error_texts, meaning, parse_error_texts
from model.states import FailureState

GUID = "7f1f9d3a-0000-4000-8000-000000000001"

ARTICLE: list[tuple[str, str]] = [
    # the state, and the text as the articles print it
    (
        "machine-registered-to-different-account",
        ("Unable to Register Machine for Patch Management, Registration Failed with Exception "
        'System.InvalidOperationException: {"Message":"Machine is already registered to a different account."}'),
    ),
    ("machine-registered-to-different-account", "Machine is already registered"),
    (
        "machine-cannot-communicate",
        ("Unable to Register Machine for Patch Management, Registration Failed with Exception "
        "System.Net.Http.HttpRequestException: An error occurred while sending the request. ---> "
        "System.Net.WebException: The underlying connection was closed: An unexpected error occurred on a receive. "
        "---> System.ComponentModel.Win32Exception: The client and server can't communicate, because they do not "
        "possess a common algorithm"),
    ),
    (
        "machine-cannot-communicate",
        ("Unable to Register Machine for Patch Management, Registration Failed with Exception "
        "Newtonsoft.Json.JsonReaderException: Error parsing positive infinity value."),
    ),
    (
        "machine-cannot-communicate",
        (f"The certificate presented by the service {GUID}.oms.opinsights.azure.com was not issued by a certificate "
        "authority used for Microsoft services. Contact your network administrator to see if they are running a proxy "
        "that intercepts TLS/SSL communication."),
    ),
    ("machine-cannot-communicate", "Access is denied. (Exception form HRESULT: 0x80070005(E_ACCESSDENIED))"),
    ("machine-cannot-communicate", "Access is denied. (Exception from HRESULT: 0x80070005 (E_ACCESSDENIED))"),
    (
        "selfsigned-cert-failure",
        ("Unable to Register Machine for Patch Management, Registration Failed with Exception "
        "AgentService.HybridRegistration. PowerShell.Certificates.CertificateCreationException: Failed to create a "
        "self-signed certificate. ---> System.UnauthorizedAccessException: Access is denied."),
    ),
    ("worker-registration-forbidden", "Forbidden: You don't have permission to access / on this server"),
    ("failed-to-enable-update-solution", "Error details: Failed to enable the Update solution"),
]  # fmt: skip


@pytest.mark.parametrize(("state", "text"), ARTICLE)
def test_the_articles_own_words_tell_their_state(state: str, text: str) -> None:
    found = meaning(text, SeenIn.EVENT_4502)

    assert found is not None
    assert found.state == state


@pytest.mark.parametrize(("state", "text"), ARTICLE)
def test_they_do_so_inside_the_whole_event_in_any_case_and_over_lines(state: str, text: str) -> None:
    event = (
        'A module of type "Microsoft.EnterpriseManagement.HealthService.AzureAutomation.HybridAgent" reported an\r\n'
        f" exception {text.replace(' ', chr(13) + chr(10) + '  ').upper()} which was running as part of rule "
        '"Microsoft.IntelligencePacks.AzureAutomation.HybridAgent.Init" running for instance "" in management group '
        f'"AOI-{GUID}".'
    )
    found = meaning(event, SeenIn.EVENT_4502)

    assert found is not None
    assert found.state == state


@pytest.mark.parametrize(
    ("text", "seen_in", "state"),
    [
        ("Error details: Failed to enable the Update solution", "operation", "failed-to-enable-update-solution"),
        (
            "Job was suspended as it exceeded the job limit for a Hybrid Worker",
            "machine-run",
            "worker-job-limit-reached",
        ),
        ("Unable to register, an existing worker was found", "machine-run", "linux-worker-conflict"),
        ("Failed to deregister worker. [response_status=404]", "machine-run", "linux-worker-conflict"),
        ("The SignalR connection timed out", "event-15011", "worker-signalr-timeout"),
    ],
)
def test_other_places_have_texts_of_their_own(text: str, seen_in: str, state: str) -> None:
    found = meaning(text, SeenIn(seen_in))

    assert found is not None
    assert found.state == state
    elsewhere = [place for place in SeenIn if place != seen_in and state != "failed-to-enable-update-solution"]
    assert all(meaning(text, place) is None for place in elsewhere)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Access is denied.",  # of what, nobody knows
        "Access is denied. (Exception from HRESULT: 0x80070422)",
        "Failed to create a self-signed certificate",  # the agent says by which exception
        "Machine registered",
        "The certificate presented by the service x was issued by a certificate authority used for Microsoft services",
    ],
)
def test_words_that_are_only_alike_mean_nothing(text: str) -> None:
    assert meaning(text, SeenIn.EVENT_4502) is None


@given(st.text(max_size=300), st.sampled_from(SeenIn))
def test_any_text_has_one_meaning_or_none(text: str, seen_in: SeenIn) -> None:
    found = meaning(text, seen_in)

    assert found is None or found in error_texts()


def test_a_megabyte_is_looked_through_at_once() -> None:
    """What repeats without an end must not keep a sweep busy."""
    assert meaning("CertificateCreationException " * 40_000, SeenIn.EVENT_4502) is None


def test_the_certificate_comes_before_the_access_that_it_was_denied() -> None:
    """One text holds both; the narrower cause is the one that can be mended."""
    text = (
        "CertificateCreationException: Failed to create a self-signed certificate. ---> "
        "Access is denied. (Exception from HRESULT: 0x80070005 (E_ACCESSDENIED))"
    )
    found = meaning(text, SeenIn.EVENT_4502)

    assert found is not None
    assert found.state is FailureState.SELFSIGNED_CERT_FAILURE


def test_every_row_says_where_it_is_from_and_was_looked_at_since_the_service_was_retired() -> None:
    rows = error_texts()

    assert rows
    assert all(row.source and row.means and row.reviewed > date(2024, 8, 31) for row in rows)


GOOD: dict[str, Any] = {
    "id": "a",
    "seenIn": "event-4502",
    "pattern": "x",
    "state": "clock-skew",
    "means": "m",
    "source": "s",
    "reviewed": "2026-01-01",
}


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ("{}", "not a list"),
        ("[", "not JSON"),
        ([1], "row 1: its fields"),
        ([{**GOOD, "more": "x"}], "row 1: its fields"),
        ([{key: value for key, value in GOOD.items() if key != "source"}], "row 1: its fields"),
        ([{**GOOD, "source": " "}], "row 1: source"),
        ([{**GOOD, "means": 3}], "row 1: means"),
        ([GOOD, {**GOOD, "id": "b", "pattern": "("}], "row 2 (b)"),
        ([{**GOOD, "state": "no-such-state"}], "row 1 (a)"),
        ([{**GOOD, "seenIn": "somewhere"}], "row 1 (a)"),
        ([{**GOOD, "reviewed": "lately"}], "row 1 (a)"),
        ([GOOD, GOOD], "the id a is there twice"),
    ],
)
def test_a_table_that_is_wrong_is_refused_by_row_and_field(rows: Any, why: str) -> None:
    with pytest.raises(InvalidErrorTexts, match=why.replace("(", r"\(").replace(")", r"\)")):
        parse_error_texts(rows if isinstance(rows, str) else json.dumps(rows))


def test_the_table_is_beside_the_detectors() -> None:
    file = Path(__file__).parents[2] / "detectors" / "data" / "error_texts.json"

    assert parse_error_texts(file.read_text(encoding="utf-8")) == error_texts()
