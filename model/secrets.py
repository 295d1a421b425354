"""Secrets in text that comes from outside, known by their shape: they are taken out before anybody keeps or shows it.

Nothing of ours holds one: the app signs in by identity. But a repository's address with a password, a storage account's
key or a token may stand in what Azure or a machine says about an error.
"""

from __future__ import annotations

import re
from typing import Final

from model.documents import Json

HIDDEN: Final = "[secret]"

_NAMED: Final = (
    r"account_?key|access_?key|shared_?access_?(?:key|signature)|storage_?key|primary_?key|secondary_?key|api[_-]?key|"
    r"x-functions-key|(?:client_?|app_?)?secret|password|passwd|pwd|passphrase|(?:access_|refresh_|id_)?token|sig|code"
)
"""What secrets are called in connection strings, query strings, JSON and on command lines."""
_SHAPES: Final = (
    re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(r"()\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?", re.ASCII),
    re.compile(
        r"(\b(?:Bearer|Basic|SharedKey(?:Lite)?|SharedAccessSignature)\s+)[\w+/=.:~-]{6,}", re.IGNORECASE | re.ASCII
    ),
    # The rest of an address stays: it says which repository, which proxy.
    re.compile(r"(\b[a-z][a-z0-9+.-]{1,20}://)[^\s/@'\"<>]{1,256}(?=@)", re.IGNORECASE | re.ASCII),
    re.compile(rf"((?<![A-Za-z])(?:{_NAMED})[\"']?\s?[=:]\s?[\"'])[^\"'\n]+", re.IGNORECASE | re.ASCII),
    re.compile(rf"((?<![A-Za-z])(?:{_NAMED})=)[^\s;&,\"'<>]+", re.IGNORECASE | re.ASCII),
)
"""Each keeps its first group, which says what it was."""
_SIGN: Final = re.compile(r"[=@:]|eyJ|Bearer|Basic|Shared|PRIVATE", re.IGNORECASE)
"""Text without any of these has no such shape."""


def without_secrets(text: str) -> str:
    """The text with `[secret]` where one stood."""
    if not _SIGN.search(text):
        return text
    for shape in _SHAPES:
        text = shape.sub(rf"\1{HIDDEN}", text)
    return text


def none_in[T: Json](value: T) -> T:
    """The same in every text of a document, whatever its depth."""
    found: object = value
    if isinstance(value, str):
        found = without_secrets(value)
    elif isinstance(value, list):
        found = [none_in(item) for item in value]
    elif isinstance(value, dict):
        found = {key: none_in(item) for key, item in value.items()}
    return found  # type: ignore[return-value] # the same shape as it came
