"""S2: the Automation resource provider is not registered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

from model.facts import Facts, Reading
from model.findings import Detection, Finding, Unknown
from model.resource_ids import InvalidResourceId, subscription_of
from model.states import FailureState

NAMESPACE: Final = "Microsoft.Automation"


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomationRpNotRegistered:
    """A subscription cannot take part in Update Management, because `Microsoft.Automation` is not registered in it.

    Looks like: onboarding or saving a deployment fails with "Unable to register Automation Resource Provider for
    subscriptions"; machines of the subscription never join a dynamic group.
    Evidence: `registrationState` of the provider, in every subscription in scope and in every one that a deployment's
    dynamic query names.
    Healthy: `Registered`; `Registering` is on its way.
    Unknown: the provider could not be read, or is being unregistered; a query's scope is in no subscription.
    Source: troubleshooting article, "Unable to register Automation Resource Provider" (S2).
    """

    finds: ClassVar[FailureState] = FailureState.AUTOMATION_RP_NOT_REGISTERED
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.DEPLOYMENTS, Reading.PROVIDERS})
    queries: ClassVar[frozenset[str]] = frozenset()

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        # Without the deployments the subscriptions in scope can still be judged; what dynamic queries name is missing.
        if unread := facts.missing(Reading.DEPLOYMENTS):
            missing = f"subscriptions named by dynamic queries: {unread.what}"
            yield Unknown(state=self.finds, target="", missing=missing)
        if unread := facts.missing(Reading.PROVIDERS):
            yield Unknown(state=self.finds, target="", missing=unread.what)
            return
        for deployment in sorted(facts.deployments.values(), key=lambda deployment: deployment.id):
            for scope in deployment.query_scopes:
                if _subscription(scope) is None:
                    missing = f"the subscription of {scope[:200]!r}, which a dynamic query of {deployment.name} names"
                    yield Unknown(state=self.finds, target=deployment.id, missing=missing)
        named = _named_by_queries(facts)
        for subscription in sorted(facts.subscriptions | named.keys()):
            target = f"/subscriptions/{subscription}"
            if unread := facts.missing(f"provider:{subscription}/{NAMESPACE.lower()}"):
                yield Unknown(state=self.finds, target=target, missing=unread.what)
                continue
            registration = facts.providers.get((subscription, NAMESPACE.lower()))
            match registration.state.lower() if registration else "":
                case "registered" | "registering":
                    continue
                case "notregistered" | "unregistered":
                    assert registration is not None  # noqa: S101 - an absent one matched the empty text below
                    deployments: list[str] = named.get(subscription, [])
                    also = f"; dynamic queries of {', '.join(deployments)} name it" if deployments else ""
                    yield Finding(
                        state=self.finds,
                        target=target,
                        name=subscription,
                        reason=f"{NAMESPACE} is {registration.state}{also}",
                        evidence={
                            "registrationState": registration.state,
                            "namedBy": list(deployments),
                            "inScope": subscription in facts.subscriptions,
                        },
                    )
                case other:
                    said = f"registrationState is {other!r:.40}" if other else "no registrationState"
                    yield Unknown(state=self.finds, target=target, missing=f"a usable answer for {NAMESPACE}: {said}")


def _named_by_queries(facts: Facts) -> dict[str, list[str]]:
    """The subscriptions of all dynamic query scopes, with the names of the deployments behind them."""
    named: dict[str, list[str]] = {}
    for deployment in facts.deployments.values():
        for scope in deployment.query_scopes:
            subscription = _subscription(scope)
            if subscription is not None and deployment.name not in (names := named.setdefault(subscription, [])):
                names.append(deployment.name)
    return named


def _subscription(scope: str) -> str | None:
    try:
        return subscription_of(scope)
    except InvalidResourceId:
        return None
