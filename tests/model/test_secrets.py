"""Secrets are known by their shape, and what only looks a little like one stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.documents import Document
from model.secrets import HIDDEN, none_in, without_secrets

SECRET = "Q2FuYXJ5/Of+Secrets=="
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJhcm0ifQ.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "text",
    [
        f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={SECRET};EndpointSuffix=core.windows.net",
        f"Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=all;SharedAccessKey={SECRET}",
        f"https://a.blob.core.windows.net/c/b?sv=2024-01-01&sig={SECRET}&se=2026",
        f"https://app.azurewebsites.net/api/alerts?code={SECRET}",
        f'{{"client_secret": "{SECRET}"}}',
        f"{{'password': '{SECRET}'}}",
        f"password={SECRET}",
        f"PASSWORD={SECRET} was not taken",
        f"x-functions-key: '{SECRET}'",
        f"Authorization: Bearer {SECRET}",
        f"Authorization: SharedKey account:{SECRET}",
        f"E: Failed to fetch https://deploy:{SECRET.replace('/', '')}@packages.contoso.com/apt/InRelease",
        f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{SECRET}",
    ],
)
def test_a_secret_of_a_known_shape_is_taken_out(text: str) -> None:
    told = without_secrets(text)

    assert HIDDEN in told
    assert SECRET not in told
    assert SECRET.replace("/", "") not in told
    assert "U2Vj" not in told


def test_a_token_is_taken_out_wherever_it_stands() -> None:
    assert without_secrets(f"the token {TOKEN} has expired") == f"the token {HIDDEN} has expired"


def test_what_it_was_and_where_stays() -> None:
    """Or nobody could act on the message."""
    told = without_secrets(f"Failed to fetch https://deploy:hunter2@packages.contoso.com/apt?code={SECRET}&x=1")

    assert told == f"Failed to fetch https://{HIDDEN}@packages.contoso.com/apt?code={HIDDEN}&x=1"


@pytest.mark.parametrize(
    "text",
    [
        "Exception from HRESULT: 0x80072EE2",
        "AuthorizationFailed: The client 'c' with object id 'o' does not have authorization to perform action",
        "exit code 1: cannot open Packages database in /var/lib/rpm",
        "https://packages.contoso.com/apt/dists/focal/InRelease  Hash Sum mismatch",
        "error code: 0x8024402C",
        "/subscriptions/1/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/key-01",
        "InvalidAuthenticationToken: The access token is invalid.",
        "anna@contoso.com approved",
        "keyboard=us; monkey=banana; encode=utf-8",
        "Heartbeat | where Computer == 'web-01' | take 1",
        "2026-03-10T06:00:00Z",
        "Basic A1",
    ],
)
def test_what_is_none_stays_as_it_is(text: str) -> None:
    assert without_secrets(text) == text


@given(st.text(max_size=200))
def test_it_is_done_once(text: str) -> None:
    once = without_secrets(text)

    assert without_secrets(once) == once


def test_documents_keep_their_shape() -> None:
    document: Document = {"a": [{"said": f"sig={SECRET}"}, 1, None, True], "b": "web-01"}

    assert none_in(document) == {"a": [{"said": f"sig={HIDDEN}"}, 1, None, True], "b": "web-01"}
