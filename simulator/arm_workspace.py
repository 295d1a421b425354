"""Microsoft.OperationalInsights management and Microsoft.OperationsManagement solutions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from model.documents import Document, Json, at, text_at
from simulator.estate import Estate
from simulator.web import Answer, Call, Refused, Router

_GROUP: Final = "/subscriptions/{subscription}/resourceGroups/{group}/providers"
WORKSPACE: Final = f"{_GROUP}/Microsoft.OperationalInsights/workspaces/{{workspace}}"
_SOLUTION: Final = f"{_GROUP}/Microsoft.OperationsManagement/solutions/{{solution}}"
_SAVED_SEARCH_TYPE: Final = "Microsoft.OperationalInsights/savedSearches"


class Workspaces:
    def __init__(self, estate: Estate) -> None:
        self.estate, self.resources = estate, estate.resources
        self._writes = 0

    def routes(self, router: Router) -> None:
        searches = f"{WORKSPACE}/savedSearches"
        router.add("GET", WORKSPACE, self.get)
        router.add("PATCH", WORKSPACE, self.patch)
        router.add("GET", searches, self.list_members)
        router.add("GET", f"{searches}/{{name}}", self.get)
        router.add("PUT", f"{searches}/{{name}}", self.put_saved_search)
        router.add("DELETE", f"{searches}/{{name}}", self.delete)
        router.add("GET", f"{WORKSPACE}/linkedServices", self.list_members)
        router.add("GET", f"{WORKSPACE}/linkedServices/{{name}}", self.get)
        router.add("GET", f"{WORKSPACE}/intelligencePacks", self.list_packs)
        router.add("GET", f"{WORKSPACE}/usages", self.list_members)
        router.add("GET", f"{WORKSPACE}/managementGroups", self.list_members)
        router.add("GET", _SOLUTION, self.get)

    def get(self, call: Call, _: Mapping[str, str]) -> Answer:
        return Answer(body=self._found(call.path))

    def patch(self, call: Call, _: Mapping[str, str]) -> Answer:
        """What is sent is merged into what there is; a quota cannot be below what the service accepts."""
        document = self._found(call.path)
        body = call.json()
        quota = at(body, "properties.workspaceCapping.dailyQuotaGb")
        if quota is not None and (not isinstance(quota, int | float) or not (quota == -1 or quota >= 0.023)):
            raise Refused(400, "InvalidParameter", "dailyQuotaGb must be -1 or at least 0.023.")
        _merge(document, {key: value for key, value in body.items() if key in {"properties", "tags"}})
        self.resources.changed(document)
        return Answer(body=document)

    def list_members(self, call: Call, _: Mapping[str, str]) -> Answer:
        self._found(call.path.rpartition("/")[0])
        return Answer(body={"value": list(self.resources.within(call.path))})

    def list_packs(self, call: Call, _: Mapping[str, str]) -> Answer:
        """A plain list, without the wrapping that every other list has."""
        self._found(call.path.rpartition("/")[0])
        packs = self.resources.within(call.path)
        return Answer(body=[{k: v for k, v in pack.items() if k not in {"id", "type"}} for pack in packs])

    def put_saved_search(self, call: Call, names: Mapping[str, str]) -> Answer:
        """An existing search is overwritten only under its current ETag, or `*`."""
        workspace = self._found(call.path.rsplit("/", 2)[0])
        before, body = self.resources.get(call.path), call.json()
        sent = text_at(body, "etag") or call.headers.get("if-match", "")
        if before is not None and sent not in {"*", text_at(before, "etag")}:
            raise Refused(409, "Conflict", "Newer data exists in the Customer Configuration Store.")
        properties = body.get("properties")
        if not isinstance(properties, dict) or not all(
            text_at(properties, key) for key in ("category", "displayName", "query")
        ):
            raise Refused(400, "InvalidParameter", "category, displayName and query are required.")
        self._writes += 1
        stamp = f"{self.estate.now:%Y-%m-%dT%H%%3A%M%%3A%S}.{self._writes:07}Z"
        after: Document = {
            "id": str(before["id"]) if before else f"{workspace['id']}/savedSearches/{names['name']}",
            "name": text_at(before or {}, "name") or names["name"],
            "type": _SAVED_SEARCH_TYPE,
            "etag": f"W/\"datetime'{stamp}'\"",
            "properties": properties,
        }
        self.resources.put(after)
        return Answer(body=after)

    def delete(self, call: Call, _: Mapping[str, str]) -> Answer:
        if not self.resources.delete(call.path):
            raise self._missing(call.path)
        return Answer()

    def _found(self, resource_id: str) -> Document:
        document = self.resources.get(resource_id)
        if document is None:
            raise self._missing(resource_id)
        return document

    def _missing(self, resource_id: str) -> Refused:
        parts = resource_id.strip("/").split("/")
        return Refused(404, "ResourceNotFound", f"The Resource '{'/'.join(parts[5:])}' was not found.")


def _merge(into: Document, given: Document) -> None:
    for key, value in given.items():
        held: Json = into.get(key)
        if isinstance(held, dict) and isinstance(value, dict):
            _merge(held, value)
        elif value is not None:
            into[key] = value
