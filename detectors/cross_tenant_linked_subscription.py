"""S4: a deployment names machines of a subscription that belongs to another tenant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from detectors.complaints import MOST_NAMED
from detectors.protocol import unreadable
from model.facts import Deployment, Facts, Reading, Subscription
from model.findings import Detection, Finding, Unknown
from model.resource_ids import InvalidResourceId, subscription_of
from model.states import FailureState
from model.words import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossTenantLinkedSubscription:
    """A deployment names machines by the resource id of another tenant's subscription, so that it cannot be saved.

    Looks like: "The client has permission to perform action 'Microsoft.Compute/virtualMachines/write' on scope ...,
    however the current tenant ... is not authorized to access linked subscription ...".
    Evidence: the subscription of a machine in `azureVirtualMachines` belongs to another tenant than the Automation
    account's, and is not delegated to that one by Azure Lighthouse.
    Healthy: every machine's subscription is of the account's tenant, or delegated to it.
    Unknown: subscriptions or deployments could not be read; the reader cannot see the account's subscription, or one
    of which a deployment names machines: that one may be another tenant's, or its rights may be missing.
    Source: troubleshooting article, "current tenant is not authorized to access linked subscription" (S4).
    """

    finds: ClassVar[FailureState] = FailureState.CROSS_TENANT_LINKED_SUBSCRIPTION
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.DEPLOYMENTS, Reading.SUBSCRIPTIONS})
    queries: ClassVar[frozenset[str]] = frozenset()

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unreadable(self, facts):
            yield gap
            return
        home = facts.visible_subscriptions.get(subscription_of(facts.account))
        if home is None or not home.tenant:
            yield Unknown(state=self.finds, target="", missing="the tenant of the Automation account's subscription")
            return
        for deployment in sorted(facts.deployments.values(), key=lambda one: one.id):
            by_subscription = _machines(deployment)
            unseen = sorted(by_subscription.keys() - facts.visible_subscriptions.keys())
            foreign = {
                one.id: by_subscription[one.id]
                for id_ in sorted(by_subscription)
                if (one := facts.visible_subscriptions.get(id_)) and one.tenant and not _is_reached(one, home.tenant)
            }
            if foreign:
                yield self._finding(deployment, foreign, home.tenant, facts)
            elif unseen:
                named = ", ".join(unseen[:5])
                missing = f"the tenant of {named}, in which {deployment.name} names machines"
                yield Unknown(state=self.finds, target=deployment.id, missing=missing)

    def _finding(self, deployment: Deployment, foreign: dict[str, list[str]], tenant: str, facts: Facts) -> Finding:
        machines = [id_ for listed in foreign.values() for id_ in listed]
        tenants = {id_: facts.visible_subscriptions[id_].tenant for id_ in foreign}
        return Finding(
            state=self.finds,
            target=deployment.id,
            name=deployment.name,
            reason=(
                f"it names {counted(len(machines), 'machine')} in {counted(len(foreign), 'subscription')} of "
                f"another tenant than {tenant}"
            ),
            evidence={
                "tenant": tenant,
                "subscriptions": dict(tenants),
                "machines": [*machines[:MOST_NAMED]],
                "machineCount": len(machines),
            },
        )


def _machines(deployment: Deployment) -> dict[str, list[str]]:
    """The machines that a deployment names, by lower-case subscription."""
    found: dict[str, list[str]] = {}
    for id_ in deployment.azure_machines:
        try:
            found.setdefault(subscription_of(id_), []).append(id_)
        except InvalidResourceId:
            continue
    return found


def _is_reached(subscription: Subscription, tenant: str) -> bool:
    return subscription.tenant == tenant or tenant in subscription.managed_by
