"""What an identity may do, as Azure lists it, and whether that covers an action."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """What one role grants: everything that `actions` match, without what `not_actions` match.

    What one role leaves out another may grant: `notActions` are no prohibition. `*` stands for any text, slashes too,
    and case means nothing. Actions on data are a matter of their own: no pattern for the one covers the other.
    """

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()

    def grants(self, action: str, *, on_data: bool = False) -> bool:
        """True where this role alone grants it."""
        granted, withheld = (self.data_actions, self.not_data_actions) if on_data else (self.actions, self.not_actions)
        return _any_matches(granted, action) and not _any_matches(withheld, action)


def granted(permissions: Iterable[Permission], action: str, *, on_data: bool = False) -> bool:
    """True where any of the roles grants an action."""
    return any(permission.grants(action, on_data=on_data) for permission in permissions)


def _any_matches(patterns: Iterable[str], action: str) -> bool:
    return any(_regex(pattern).fullmatch(action) is not None for pattern in patterns)


@lru_cache(maxsize=4096)
def _regex(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.IGNORECASE | re.DOTALL)
