"""The saved search that says which machines Update Management looks after, and the lists in its query."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from model.documents import at
from model.facts import SavedSearch
from model.resource_ids import vm_ids

SCOPE: Final = "updates|microsoftdefaultcomputergroup"
"""Its name; other solutions have a search of their own."""
TEXT: Final = r"""(?:"[^"]*"|'[^']*')"""
"""A quoted text of Kusto, as these queries have them."""
_LIST: Final = rf"{TEXT}(?:\s*,\s*{TEXT})*"
VM_IDS: Final = re.compile(rf"(\bVMUUID\s+in~?\s*\(\s*)({_LIST})(?=\s*\))", re.IGNORECASE)
"""The list of VM ids: what stands before its entries, and the entries."""
_CONDITION: Final = rf"(?:Computer|VMUUID)\s+in~?\s*\(\s*{_LIST}\s*\)"
_AS_AZURE_MAKES_IT: Final = re.compile(
    rf"\s*Heartbeat\s*\|\s*where\s+{_CONDITION}(?:\s+or\s+{_CONDITION})*\s*\|\s*distinct\s+Computer\s*", re.IGNORECASE
)
_NAMES: Final = re.compile(rf"\bComputer\s+in~?\s*\(\s*({_LIST})(?=\s*\))", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeQuery:
    """Who is in the scope, where the query is one that Azure made."""

    search: SavedSearch
    text: str

    @property
    def is_plain(self) -> bool:
        """True where the query is nothing but lists of names and of VM ids."""
        return bool(_AS_AZURE_MAKES_IT.fullmatch(self.text))

    def selects(self, vm_id: str, computer: str) -> bool:
        """Whether a machine is in one of the lists; `vm_id` in either byte order, `computer` as its agent says it."""
        listed = {entry for found in VM_IDS.finditer(self.text) for entry in _entries(found[2])}
        names = {entry for found in _NAMES.finditer(self.text) for entry in _entries(found[1])}
        return not vm_ids(vm_id).isdisjoint(listed) or computer.lower() in names - {""}

    def with_vm_id(self, vm_id: str) -> str | None:
        """The query with one more VM id, at the end of the first list of them; None where there is no such list."""
        if not VM_IDS.search(self.text):
            return None
        return VM_IDS.sub(lambda found: found[1] + _joined(found[2], vm_id), self.text, count=1)


def scope_query(searches: Mapping[str, SavedSearch]) -> ScopeQuery | None:
    """The scope of Update Management; None where there is none, so that it looks after every machine."""
    for search in searches.values():
        query = at(search.document, "properties.query")
        if unquote(search.id.rsplit("/", 1)[-1]) == SCOPE and isinstance(query, str):
            return ScopeQuery(search=search, text=query)
    return None


def _entries(listed: str) -> set[str]:
    return {entry[0][1:-1].strip().lower() for entry in re.finditer(TEXT, listed)}


def _joined(listed: str, vm_id: str) -> str:
    # An empty list holds one empty text.
    return f'"{vm_id}"' if _entries(listed) == {""} else f'{listed}, "{vm_id}"'
