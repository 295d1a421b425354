"""Azure resource ids and VM ids as identities.

A machine's name never decides who it is (promise 5): identity is the lower-case resource id, and the VM's own id in
either byte order.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from functools import lru_cache

_SEGMENT = re.compile(r"[^/?#\x00-\x1f]+")


class InvalidResourceId(ValueError):
    """The text is not the id of an Azure resource; the message holds it, shortened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceId:
    """A parsed resource id, as Azure spelled it; compare by `key`, because Azure's spelling varies."""

    text: str
    subscription: str
    resource_group: str
    namespace: str
    """Provider namespace, such as `Microsoft.Compute`; empty for a subscription or a resource group."""
    type: str
    """Full type without the namespace, such as `virtualMachines` or `workspaces/savedSearches`."""
    names: tuple[str, ...]

    @property
    def key(self) -> str:
        """The identity: the id in lower case."""
        return self.text.lower()

    @property
    def name(self) -> str:
        """The last name: what a person calls it."""
        return self.names[-1] if self.names else self.resource_group or self.subscription

    def is_type(self, full_type: str) -> bool:
        """True where `full_type` (`Microsoft.Compute/virtualMachines`) is this id's, whatever the case."""
        return f"{self.namespace}/{self.type}".lower() == full_type.lower()

    @classmethod
    def parse(cls, text: str) -> ResourceId:
        """Take an id apart.

        Raises:
            InvalidResourceId: it does not begin with a subscription, or its segments do not pair up.
        """
        parts = text.strip().strip("/").split("/")
        if (
            not text.startswith("/")
            or len(parts) % 2
            or len(parts) < 2
            or parts[0].lower() != "subscriptions"
            or not all(_SEGMENT.fullmatch(part) for part in parts)
        ):
            raise InvalidResourceId(f"not an Azure resource id: {text[:200]!r}")
        pairs = list(zip(parts[::2], parts[1::2], strict=True))
        group, namespace, types, names = "", "", list[str](), list[str]()
        for kind, value in pairs[1:]:
            if kind.lower() == "resourcegroups" and not group and not namespace:
                group = value
            elif kind.lower() == "providers":
                # An extension resource begins a second provider; the innermost one is what the id names.
                namespace, types, names = value, [], []
            elif not namespace:
                raise InvalidResourceId(f"not an Azure resource id: {text[:200]!r}")
            else:
                types.append(kind)
                names.append(value)
        return cls(
            text=f"/{'/'.join(parts)}",
            subscription=pairs[0][1],
            resource_group=group,
            namespace=namespace,
            type="/".join(types),
            names=tuple(names),
        )


def subscription_of(resource_id: str) -> str:
    """The lower-case subscription GUID of an id. Raises `InvalidResourceId`."""
    return ResourceId.parse(resource_id).subscription.lower()


@lru_cache(maxsize=4096)  # one scope query is looked through for each clone, and names the same machines each time
def vm_ids(text: str) -> frozenset[str]:
    """Every spelling under which one VM id may appear: as it is, and with its first three groups byte-swapped.

    Some Linux distributions report the SMBIOS UUID in the other byte order. An unreadable id has no spelling.
    """
    try:
        value = uuid.UUID(text)
    except ValueError:
        return frozenset()
    return frozenset({str(value), str(uuid.UUID(bytes=value.bytes_le))})
