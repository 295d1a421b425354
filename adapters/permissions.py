"""What the writing identity may do, as Resource Manager lists it. Only reads leave from here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from adapters.arm import Arm
from adapters.clients import Clients
from engine.ports import NotFound, RequestCount, texts
from model.documents import Document, list_at
from model.permissions import Permission

API: Final = "2022-04-01"
_EVERYTHING: Final = (Permission(actions=("*",), data_actions=("*",)),)


class AzureRights:
    """The `Rights` of Azure, or of a simulated one."""

    def __init__(self, clients_factory: Callable[[], Clients], *, simulated: bool) -> None:
        """`clients_factory` makes clients of the writing identity that only read; it is called at the first question.

        A simulated Azure is sent no token, so that nobody is there whose rights could be missing: where it does not
        know the question, nothing is.
        """
        self._factory = clients_factory
        self._simulated = simulated
        self._opening = threading.Lock()
        self._clients: Clients | None = None

    @property
    def requests(self) -> RequestCount:
        return self._clients.requests if self._clients else RequestCount()

    def granted(self, scope: str) -> tuple[Permission, ...]:
        """See `Rights.granted`."""
        arm = Arm(self._opened())
        try:
            documents = arm.all_of(f"{scope}/providers/Microsoft.Authorization/permissions", api_version=API)
        except NotFound:
            if self._simulated:
                return _EVERYTHING
            raise
        return tuple(_permission(document) for document in documents)

    def _opened(self) -> Clients:
        with self._opening:
            if self._clients is None:
                self._clients = self._factory()
            return self._clients


def _permission(document: Document) -> Permission:
    return Permission(
        actions=texts(list_at(document, "actions")),
        not_actions=texts(list_at(document, "notActions")),
        data_actions=texts(list_at(document, "dataActions")),
        not_data_actions=texts(list_at(document, "notDataActions")),
    )
