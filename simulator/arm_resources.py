"""Microsoft.Resources: subscriptions, providers, any resource by its id; and Resource Graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from model.documents import Document, Json, at, list_at, text_at
from simulator.estate import Estate
from simulator.faults import Kind
from simulator.inventory import GraphResult
from simulator.kql import QueryRejected
from simulator.web import Answer, Call, Refused, Router

_PROVIDER: Final = "/subscriptions/{subscription}/providers/{namespace}"
_ADDED: Final = {
    "Microsoft.Resources/subscriptions": {"type"},
    "Microsoft.Resources/providers": {"type"},
}
"""What a fleet's document has and Azure's own body has not."""


class Resources:
    def __init__(self, estate: Estate) -> None:
        self.estate, self.resources = estate, estate.resources

    def routes(self, router: Router) -> None:
        router.add("GET", "/subscriptions", self.list_subscriptions)
        router.add("GET", "/subscriptions/{subscription}", self.get_subscription)
        router.add("GET", "/subscriptions/{subscription}/providers", self.list_providers)
        router.add("GET", _PROVIDER, self.get_provider)
        router.add("POST", f"{_PROVIDER}/register", self.register)
        router.add("POST", "/providers/Microsoft.ResourceGraph/resources", self.graph)

    def fallback_routes(self, router: Router) -> None:
        """Any resource by its id: tried last."""
        router.add("GET", "/subscriptions/{rest:path}", self.get_any)
        router.add("HEAD", "/subscriptions/{rest:path}", self.head_any)

    def list_subscriptions(self, _: Call, __: Mapping[str, str]) -> Answer:
        found = self.resources.of_type("Microsoft.Resources/subscriptions")
        return Answer(body={"value": [_own(document) for document in found]})

    def get_subscription(self, call: Call, names: Mapping[str, str]) -> Answer:
        document = self.resources.get(call.path)
        if document is None:
            raise _no_subscription(names["subscription"])
        return Answer(body=_own(document))

    def list_providers(self, _: Call, names: Mapping[str, str]) -> Answer:
        self._check_subscription(names)
        scope = f"/subscriptions/{names['subscription']}/".lower()
        found = [p for p in self.resources.of_type("Microsoft.Resources/providers") if _id(p).startswith(scope)]
        return Answer(body={"value": [_own(document) for document in found]})

    def get_provider(self, _: Call, names: Mapping[str, str]) -> Answer:
        return Answer(body=_own(self._provider(names)))

    def register(self, _: Call, names: Mapping[str, str]) -> Answer:
        document = self._provider(names)
        self.estate.providers.register(document)
        return Answer(body=_own(document))

    def get_any(self, call: Call, _: Mapping[str, str]) -> Answer:
        document = self.resources.get(call.path.rstrip("/"))
        if document is None:
            raise self._not_found(call.path)
        return Answer(body=_own(document))

    def head_any(self, call: Call, _: Mapping[str, str]) -> Answer:
        return Answer(status=204 if self.resources.get(call.path.rstrip("/")) else 404)

    def graph(self, call: Call, _: Mapping[str, str]) -> Answer:
        """Resource Graph: pages of at most 1,000, continued by skip token."""
        body = call.json()
        options = body.get("options")
        asked: Document = dict(options) if isinstance(options, dict) else {}
        token, _sep, place = text_at(asked, "$skipToken").partition(":")
        found = self._graph_result(body, token)
        rows = found.rows
        skip = int(place) if place.isdigit() else _number(asked, "$skip", 0)
        most = self.estate.options.graph_page_size
        page = rows[skip : skip + min(_number(asked, "$top", most), most)]
        more = skip + len(page) < len(rows)
        if self.estate.faults.result(Kind.TRUNCATED, call.method, call.target, text_at(body, "query")):
            page, more = page[: len(page) // 2], False
        truncated = more or skip + len(page) < len(rows)
        answer: Document = {
            "totalRecords": len(rows),
            "count": len(page),
            "data": _data(found, page, text_at(asked, "resultFormat")),
            "facets": [],
            "resultTruncated": "true" if truncated else "false",
        }
        # Paging needs the id column: without it the service gives no token, and says that it truncated.
        if more and any(column.name == "id" for column in found.result.columns):
            answer["$skipToken"] = f"{found.token}:{skip + len(page)}"
            answer["resultTruncated"] = "false"
        quota = {"x-ms-user-quota-remaining": "14", "x-ms-user-quota-resets-after": "00:00:05"}
        return Answer(body=answer, headers=quota)

    def _graph_result(self, body: Document, token: str) -> GraphResult:
        if token:
            kept = self.estate.inventory.continued(token)
            if kept is None:
                raise _bad_graph_request("InvalidSkipToken", "The skip token is not valid.")
            return kept
        query = text_at(body, "query")
        subscriptions = [str(item) for item in list_at(body, "subscriptions")]
        try:
            return self.estate.inventory.query(query, subscriptions, self.estate.now)
        except QueryRejected as error:
            raise _bad_graph_request(error.inner, error.message) from error

    def _provider(self, names: Mapping[str, str]) -> Document:
        self._check_subscription(names)
        document = self.estate.providers.get(names["subscription"], names["namespace"])
        if document is None:
            raise Refused(404, "InvalidResourceNamespace", f"The resource namespace '{names['namespace']}' is invalid.")
        return document

    def _check_subscription(self, names: Mapping[str, str]) -> None:
        if self.resources.get(f"/subscriptions/{names['subscription']}") is None:
            raise _no_subscription(names["subscription"])

    def _not_found(self, path: str) -> Refused:
        parts = path.strip("/").split("/")
        if self.resources.get("/" + "/".join(parts[:2])) is None:
            return _no_subscription(parts[1])
        return Refused(404, "ResourceNotFound", f"The Resource '{'/'.join(parts[5:])}' was not found.")


def _id(document: Document) -> str:
    return str(document["id"]).lower()


def _own(document: Document) -> Document:
    added = _ADDED.get(str(document.get("type")), set())
    return {key: value for key, value in document.items() if key not in added}


def _number(options: Document, key: str, default: int) -> int:
    value = at(options, key) if key in options else default
    if not isinstance(value, int) or value < 0:
        raise _bad_graph_request("InvalidOption", f"{key} must be a whole number.")
    return value


def _data(found: GraphResult, page: list[dict[str, Json]], result_format: str) -> Json:
    if result_format.lower() != "table":
        return list(page)
    columns: list[Json] = [{"name": c.name, "type": _GRAPH_TYPES.get(c.type, "string")} for c in found.result.columns]
    return {"columns": columns, "rows": [list(row.values()) for row in page]}


_GRAPH_TYPES: Final = {
    "long": "integer",
    "int": "integer",
    "real": "number",
    "bool": "boolean",
    "dynamic": "object",
    "datetime": "datetime",
}


def _bad_graph_request(code: str, message: str) -> Refused:
    return Refused(
        400,
        "BadRequest",
        "Please provide below info when asking for support: timestamp, correlationId.",
        details=[{"code": code, "message": message}],
    )


def _no_subscription(subscription: str) -> Refused:
    return Refused(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")
