"""Texts that mean something to whoever reads them as more than text, and an estate in which they stand everywhere."""

from __future__ import annotations

import dataclasses
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from model.documents import Document, Json
from simulator.fleet import Fleet

KQL: Final = (
    '" or true //',
    "' | take 1 //",
    '"]); Heartbeat | take 1; let x = dynamic(["',
    "\n| union (Event | take 1)\n",
    '") | invoke externaldata(x:string)[@"https://example.org/x"] //',
    "\\",
)
POWERSHELL: Final = (
    "'; Restart-Computer -Force; '",
    '"$(Stop-Computer)"',
    "`; Remove-Item C:\\ -Recurse #",
    "| Invoke-Expression",
    "-Force; & calc.exe",
    "\u2019; Stop-Computer; \u2018",  # PowerShell takes typographic quotes for quotes
    "`n1",
)
SHELL: Final = (
    "'; reboot; '",
    '"; reboot; "',
    "$(reboot)",
    "`reboot`",
    "&& reboot",
    "| sh",
    "\nreboot\n",
    "${IFS}",
    "-rf",
    ">/etc/passwd",
    "x\0y",
)
PATHS: Final = (
    "../../../disks/d",
    "..%2f..%2fdisks%2fd",
    "%2e%2e",
    "?api-version=1999-01-01",
    "&api-version=1999-01-01",
    "#x",
    "%00",
    "\\..\\..",
    ";x=1",
    "/start",
    "@example.org",
    " ",
)
HTML: Final = (
    "<script>document.title='EXECUTED'</script>",
    "<img src=x onerror=\"document.title='EXECUTED'\">",
    "\"><svg onload=document.title='EXECUTED'>",
    "</style><script>document.title='EXECUTED'</script>",
    "</title><script>document.title='EXECUTED'</script>",
    "'><iframe srcdoc=\"<script>parent.document.title='EXECUTED'</script>\"></iframe>",
    "<a href=javascript:document.title='EXECUTED'>x</a>",
    "{{ 7*7 }}{% raw %}",
    "<!-- ",
    "&lt;script&gt;",
    "<base href=https://example.org/>",
    "<meta http-equiv=refresh content='0;url=https://example.org/'>",
)
TERMINAL: Final = ("\x1b]0;EXECUTED\x07", "\x1b[2J", "\u202e", "[red]x[/red]", "\r", "\x9b31m")
ALL: Final = (*KQL, *POWERSHELL, *SHELL, *PATHS, *HTML, *TERMINAL)

IN_A_NAME: Final = tuple(text for text in ALL if not re.search(r"[/?#\x00-\x1f]", text) and text == text.strip())
"""What may stand in a resource id: a path with more in it is not one."""

_TEXTS: Final = frozenset(
    {
        *("displayName", "description", "computerName", "Computer", "osName", "adminUsername", "createdBy"),
        *("lastModifiedBy", "workerName", "Detail", "RenderedDescription", "Title", "Product", "Message", "Solution"),
        *("UpdateRunName", "OSFullName", "EventData", "ParameterXml", "message", "output", "osVersion", "Resource"),
        *(
            "OperationCategory",
            "ErrorResult",
            "CorrelationText",
            "ComputerIP",
            "RemoteIPCountry",
            "WindowsUpdateSetting",
        ),
    }
)
"""Properties and columns that hold what somebody, or a machine, called or said."""
_MACHINE: Final = re.compile(r"(?<=/virtualmachines/)[^/\"]+", re.IGNORECASE)


def of(text: str, corpus: tuple[str, ...] = ALL) -> str:
    """One of the corpus: the same for the same text, whatever its case, so that equals stay equal."""
    return corpus[zlib.crc32(text.lower().encode()) % len(corpus)]


def hostile(fleet: Fleet) -> Fleet:
    """The same estate where every name, tag, description and line of a log has something hostile behind it."""
    return dataclasses.replace(
        fleet,
        documents=[_document(document) for document in fleet.documents],
        logs={table: _Rows(rows) for table, rows in fleet.logs.items()},
        guests={_in_ids(key): guest for key, guest in fleet.guests.items()},
        truth=None,
    )


@dataclasses.dataclass(frozen=True)
class _Rows:
    """Rows that may be read more than once."""

    plain: Iterable[Document]

    def __iter__(self) -> Iterator[Document]:
        return (_mapped(row) for row in self.plain)


def _document(document: Document) -> Document:
    found = _mapped(document)
    kind = str(document["type"]).lower()
    if kind == "microsoft.compute/virtualmachines":
        name = str(document["name"])
        found["name"] = name + of(name, IN_A_NAME)
        tags = document.get("tags")
        kept = tags if isinstance(tags, dict) else {}
        found["tags"] = {**kept, **{text: text for text in (of(name), of(name + name))}}
    return found


def _mapped(document: Document) -> Document:
    return {key: _value(key, value) for key, value in document.items()}


def _value(key: str, value: Json) -> Json:
    if isinstance(value, dict):
        return _mapped(value)
    if isinstance(value, list):
        return [_value(key, item) for item in value]
    if not isinstance(value, str):
        return value
    if key in _TEXTS and value:
        return value + of(value)
    return _in_ids(value)


def _in_ids(text: str) -> str:
    return _MACHINE.sub(lambda found: found[0] + of(found[0], IN_A_NAME), text)


def texts_of(value: Json) -> Iterator[str]:
    """Every text in a document, keys as well."""
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from texts_of(item)
        case dict():
            for key, item in value.items():
                yield key
                yield from texts_of(item)
        case _:
            pass
