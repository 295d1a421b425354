"""Whether the account, the workspace, its logs and the subscriptions can be read: asked by `GET /api/health`."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from adapters.arm import Arm
from adapters.clients import Clients
from adapters.estate import SUBSCRIPTIONS_API
from adapters.log_queries import NO_TABLE, answer_queries
from adapters.parsing import customer_id, subscription
from engine.ports import AzureUnavailable, NotFound, PermissionMissing
from model.documents import Document, text_at
from model.facts import Unreadable

GOOD_FOR: Final = 600.0
BAD_FOR: Final = 30.0
"""Seconds for which an answer is repeated: everybody may ask for the app's health, and each look costs requests."""
_KQL: Final = (Path(__file__).parent / "reachable.log.kql").read_text(encoding="utf-8")
_NEIGHBOURS: Final = frozenset({frozenset({"eastus", "eastus2"})})
"""Regions whose accounts and workspaces are linked with each other; all others link within themselves."""
_ACCOUNT: Final = "the Automation account of PATCHWRIGHT_AUTOMATION_ACCOUNTS"
_WORKSPACE: Final = "the workspace of PATCHWRIGHT_WORKSPACES"

log = logging.getLogger("patchwright")


class AzureAccess:
    """The `Access` of Azure, or of a simulated one."""

    def __init__(self, clients: Clients, *, account: str, workspace: str, subscriptions: Sequence[str]) -> None:
        self._clients = clients
        self._arm = Arm(clients)
        self._account = account
        self._workspace = workspace
        self._subscriptions = frozenset(subscriptions)
        self._looking = threading.Lock()
        self._found: tuple[str, ...] = ()
        self._until = 0.0

    def problems(self) -> tuple[str, ...]:
        """See `Access.problems`. One look for all who ask within a while."""
        with self._looking:
            if time.monotonic() >= self._until:
                self._found = tuple(self._look())
                self._until = time.monotonic() + (BAD_FOR if self._found else GOOD_FOR)
            return self._found

    def _look(self) -> Iterator[str]:
        account, told = _asked(_ACCOUNT, lambda: self._arm.get(self._account))
        yield from told
        workspace, told = _asked(_WORKSPACE, lambda: self._arm.get(self._workspace))
        yield from told
        if account and workspace:
            yield from self._apart(account, workspace)
        if workspace:
            yield from self._logs(workspace)
        visible, told = _asked("the list of subscriptions", self._visible)
        yield from told
        if visible is not None and (hidden := self._subscriptions - visible):
            yield (
                f"{len(hidden)} of {len(self._subscriptions)} of PATCHWRIGHT_SUBSCRIPTIONS cannot be seen:"
                " they do not exist, belong to another tenant, or the reader's role is not in force there yet"
            )

    def _visible(self) -> frozenset[str]:
        listed = self._arm.all_of("/subscriptions", api_version=SUBSCRIPTIONS_API)
        return frozenset(subscription(one).id for one in listed)

    def _apart(self, account: Document, workspace: Document) -> Iterator[str]:
        """Regions that cannot be linked; nothing where Azure itself says that they are."""
        here, there = (text_at(one, "location").replace(" ", "").lower() for one in (account, workspace))
        if not here or not there or here == there or frozenset({here, there}) in _NEIGHBOURS:
            return
        link, told = _asked("the account's link", lambda: self._arm.get(f"{self._account}/linkedWorkspace"))
        yield from told
        if link is not None and text_at(link, "id").rstrip("/").lower() != self._workspace.rstrip("/").lower():
            yield f"{_WORKSPACE} is in {there}, the account in {here}: Azure links them only within a region"

    def _logs(self, workspace: Document) -> Iterator[str]:
        what = f"the logs of {_WORKSPACE}"
        guid, told = _asked(what, lambda: customer_id(workspace))
        yield from told
        if guid is not None:
            for answer in answer_queries(self._clients, guid, {"reachable": _KQL}).values():
                # Without agents there is no table; that is for the detectors to say.
                if isinstance(answer, Unreadable) and NO_TABLE not in answer.what:
                    yield _told(
                        what, answer.what, "do not answer: the reader's role is not in force yet, or Azure fails"
                    )


def _asked[T](what: str, ask: Callable[[], T]) -> tuple[T | None, tuple[str, ...]]:
    """The answer, or in a sentence why there is none. The sentence names settings and no ids: everybody may read it."""
    try:
        return ask(), ()
    except NotFound as error:
        return None, (_told(what, str(error), "does not exist, or is in a subscription that the reader cannot see"),)
    except PermissionMissing as error:
        if "InvalidAuthenticationTokenTenant" in str(error):
            return None, (_told(what, str(error), "belongs to another tenant than the app"),)
        return None, (_told(what, str(error), "may not be read: the reader's role is missing or not in force yet"),)
    except AzureUnavailable as error:
        return None, (_told(what, str(error), "could not be read: Azure does not answer as it should"),)


def _told(what: str, reason: str, problem: str) -> str:
    log.warning("not reachable", extra={"what": what, "reason": reason})
    return f"{what} {problem}"
