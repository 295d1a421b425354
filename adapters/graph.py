"""Resource Graph: every row of a query in pages, or an exception."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from adapters.arm import Arm
from engine.ports import AzureUnavailable
from model.documents import Document, Json

PATH: Final = "/providers/Microsoft.ResourceGraph/resources"
ROWS_A_PAGE: Final = 1000
SUBSCRIPTIONS_A_QUERY: Final = 100
"""Azure's recommendation; more at once are throttled sooner."""


class Contradiction(AzureUnavailable):
    """The answer does not agree with itself: rows are missing or were counted twice."""


def kql(name: str) -> str:
    """The text of a query beside the adapters. It takes no parameters."""
    return (Path(__file__).parent / f"{name}.kql").read_text(encoding="utf-8")


def rows(arm: Arm, query: str, subscriptions: Sequence[str]) -> list[Document]:
    """All rows of a query over subscriptions.

    Raises:
        NotFound, PermissionMissing, AzureUnavailable: as `Arm.get`; also where the rows do not add up.
    """
    found: list[Document] = []
    for start in range(0, len(subscriptions), SUBSCRIPTIONS_A_QUERY):
        some = subscriptions[start : start + SUBSCRIPTIONS_A_QUERY]
        try:
            found += _counted(arm, query, some)
        except Contradiction:
            # A machine that came or went between two pages is no contradiction the second time.
            found += _counted(arm, query, some)
    return found


def _counted(arm: Arm, query: str, subscriptions: Sequence[str]) -> list[Document]:
    found: list[Document] = []
    total: Json = 0
    for page in _pages(arm, query, subscriptions):
        data, total = page.get("data"), page.get("totalRecords")
        if not isinstance(data, list) or page.get("count") != len(data):
            raise Contradiction(f"Resource Graph: a page says {page.get('count')!r:.20} rows and brings others")
        found += [row for row in data if isinstance(row, dict)]
    if total != len(found):
        raise Contradiction(f"Resource Graph: {total!r:.20} rows in total, {len(found)} came")
    return found


def _pages(arm: Arm, query: str, subscriptions: Sequence[str]) -> Iterator[Document]:
    token, seen = "", set[str]()
    while True:
        options: Document = {"resultFormat": "objectArray", "$top": ROWS_A_PAGE}
        if token:
            options["$skipToken"] = token
        page = arm.post(PATH, {"subscriptions": list(subscriptions), "query": query, "options": options})
        yield page
        after = page.get("$skipToken")
        if not after:
            if str(page.get("resultTruncated", "false")).lower() == "true":
                raise Contradiction("Resource Graph: the result is truncated and there is no next page")
            return
        if not isinstance(after, str) or after in seen:
            raise Contradiction("Resource Graph: the pages do not end")
        seen.add(after)
        token = after
