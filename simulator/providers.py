"""Registration of resource providers in subscriptions, which takes a while."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from model.documents import Document, text_at
from simulator.clock import Clock
from simulator.resources import ResourceStore

PROVIDER_TYPE: Final = "Microsoft.Resources/providers"
_REGISTRATION: Final = timedelta(minutes=1)
_UNDER_WAY: Final = timedelta(minutes=10)
"""What a registration that a fleet shows as under way takes still."""
KNOWN: Final = (
    "Microsoft.Automation",
    "Microsoft.Compute",
    "Microsoft.HybridCompute",
    "Microsoft.Insights",
    "Microsoft.Maintenance",
    "Microsoft.OperationalInsights",
    "Microsoft.OperationsManagement",
    "Microsoft.Resources",
)


class Providers:
    def __init__(self, resources: ResourceStore, clock: Clock) -> None:
        self.resources, self.clock = resources, clock
        for document in resources.of_type(PROVIDER_TYPE):
            if text_at(document, "registrationState") == "Registering":
                self._registered_after(document, _UNDER_WAY)

    def get(self, subscription: str, namespace: str) -> Document | None:
        """The provider in a subscription: one that no fleet mentions is not registered; None for an unknown one."""
        provider_id = f"/subscriptions/{subscription}/providers/{namespace}"
        document = self.resources.get(provider_id)
        spelled = next((name for name in KNOWN if name.lower() == namespace.lower()), None)
        if document is None and spelled:
            document = {
                "id": f"/subscriptions/{subscription}/providers/{spelled}",
                "type": PROVIDER_TYPE,
                "namespace": spelled,
                "registrationPolicy": "RegistrationRequired",
                "registrationState": "NotRegistered",
                "resourceTypes": [],
            }
            self.resources.put(document)
        return document

    def register(self, document: Document) -> None:
        """Begin to register; nothing happens to one that is registered or on its way."""
        if text_at(document, "registrationState") not in {"Registered", "Registering"}:
            document["registrationState"] = "Registering"
            self._registered_after(document, _REGISTRATION)

    def _registered_after(self, document: Document, wait: timedelta) -> None:
        def done() -> None:
            document["registrationState"] = "Registered"

        self.clock.at(self.clock.now + wait, done)
