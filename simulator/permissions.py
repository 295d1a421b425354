"""Microsoft.Authorization: what the caller may do. Everybody may do everything until a test says otherwise."""

from __future__ import annotations

from collections.abc import Mapping

from model.documents import Document, Json
from simulator.estate import Estate
from simulator.web import Answer, Call, Refused, Router


class Permissions:
    """Permissions by scope, those that a resource group inherits from its subscription included."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate

    def routes(self, router: Router) -> None:
        scope = "/subscriptions/{subscription}"
        router.add("GET", f"{scope}/providers/Microsoft.Authorization/permissions", self.list_all)
        router.add(
            "GET", f"{scope}/resourceGroups/{{group}}/providers/Microsoft.Authorization/permissions", self.list_all
        )

    def list_all(self, _: Call, names: Mapping[str, str]) -> Answer:
        subscription = f"/subscriptions/{names['subscription']}".lower()
        if self.estate.resources.get(subscription) is None:
            message = f"The subscription '{names['subscription']}' could not be found."
            raise Refused(404, "SubscriptionNotFound", message)
        scopes = [subscription]
        if "group" in names:
            scopes.append(f"{subscription}/resourcegroups/{names['group']}".lower())
        roles: list[Json] = [_role(role) for scope in scopes for role in self.estate.roles.get(scope, ())]
        return Answer(body={"value": roles})


def _role(role: Document) -> Document:
    empty: Document = {"actions": [], "notActions": [], "dataActions": [], "notDataActions": []}
    return {**empty, **role}
