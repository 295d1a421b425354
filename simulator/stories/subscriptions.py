"""Subscriptions: their resource providers, and the tenants that they belong to."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from model.states import FailureState
from simulator import templates
from simulator.draft import HOUR, Part, Run
from simulator.stories.book import Book, Story
from simulator.templates import Schedule

_RP: Final = FailureState.AUTOMATION_RP_NOT_REGISTERED
_TENANT: Final = FailureState.CROSS_TENANT_LINKED_SUBSCRIPTION


def unregistered_providers(book: Book) -> None:
    never, undone = book.subscriptions[-3:-1]
    book.registration |= {never: "NotRegistered", undone: "Unregistered"}
    book.deployment(
        "Dynamic-Tagged", [], Schedule(every="Week", next_run=book.later("Week"), duration=2 * HOUR),
        query_scopes=[f"/subscriptions/{undone}"],
    )  # fmt: skip
    book.suffers(_RP, f"/subscriptions/{never}", "plan", "NotRegistered", 0)
    book.suffers(_RP, f"/subscriptions/{undone}", "plan", "Unregistered, and named by a dynamic query", 0)


def another_tenant(book: Book) -> None:
    """A deployment that names a machine of a partner's subscription; one of a delegated subscription is a decoy."""
    for delegated in (False, True):
        name = book.name("Partner")
        guid, tenant = book.guid("partner", name), book.guid("tenant of", name)
        document = templates.subscription(guid, name.lower(), tenant)
        if delegated:
            document["managedByTenants"] = [{"tenantId": book.guid("tenant")}]
        book.documents.append(document)
        parts = book.base.id.split("/")
        foreign = replace(book.base, id="/".join([*parts[:2], guid, *parts[3:]]))
        schedule = Schedule(every="Week", next_run=book.later("Week"), duration=2 * HOUR)
        target = book.deployment(name, [book.base, foreign], schedule)
        if delegated:
            book.is_spared([_TENANT], [target], "the other tenant's subscription is delegated by Azure Lighthouse")
        else:
            book.suffers(_TENANT, target, "advice", "it names a machine of another tenant's subscription", 0)


def registering_provider(book: Book) -> None:
    coming = book.subscriptions[-1]
    book.registration[coming] = "Registering"
    book.is_spared([_RP], [f"/subscriptions/{coming}"], "Registering is on its way")


def runs_without_a_provider(book: Book) -> None:
    """A deployment whose dynamic query names a subscription without the provider: its runs fail for that."""
    undone = book.subscriptions[-2]
    scope = [f"/subscriptions/{undone}/resourceGroups/rg-shop"]
    name = book.name("Dynamic-Shop")
    failed = Run(parts={"": Part(status="Failed")})
    target = book.deployment(name, [], book.weekly(), [failed, failed], query_scopes=scope)
    others = [FailureState.MAINTENANCE_WINDOW_EXCEEDED, _TENANT, FailureState.LINUX_CLASSIFICATION_CAVEAT]
    book.is_spared(others, [target], "the provider is not registered where its query looks")


STORIES: Final = (Story(0, runs_without_a_provider),)
"""Those of large estates, beside the first ones."""
