"""Resource Manager documents by id. Ids compare without case; what is answered keeps the spelling it came with."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

from model.documents import Document


class ResourceStore:
    """Documents, in the order in which they came."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._by_id: dict[str, Document] = {}
        self._collections: dict[str, dict[str, Document]] = {}
        self.versions: Counter[str] = Counter()
        """How often something of a (lower-case) type changed: what is derived from it is stale when this moves."""
        for document in documents:
            # A copy: the same fleet may start several estates, and each changes its own.
            self.put(json.loads(json.dumps(document)))

    def get(self, resource_id: str) -> Document | None:
        return self._by_id.get(resource_id.lower())

    def put(self, document: Document) -> None:
        key = str(document["id"]).lower()
        self._by_id[key] = document
        self._collections.setdefault(key.rpartition("/")[0], {})[key] = document
        self.changed(document)

    def changed(self, document: Document) -> None:
        """Say that a document was changed in place."""
        self.versions[str(document.get("type", "")).lower()] += 1

    def delete(self, resource_id: str) -> bool:
        """Remove a document and all below it; False where there was none."""
        key = resource_id.lower()
        document = self._by_id.pop(key, None)
        if document is None:
            return False
        self._collections[key.rpartition("/")[0]].pop(key)
        for below in [other for other in self._by_id if other.startswith(key + "/")]:
            self._by_id.pop(below)
            self._collections[below.rpartition("/")[0]].pop(below, None)
        self.changed(document)
        return True

    def within(self, collection: str) -> list[Document]:
        """The members of a collection such as `{account}/softwareUpdateConfigurations`."""
        return list(self._collections.get(collection.lower(), {}).values())

    def of_type(self, *types: str) -> list[Document]:
        wanted = {name.lower() for name in types}
        return [document for document in self._by_id.values() if str(document.get("type", "")).lower() in wanted]
