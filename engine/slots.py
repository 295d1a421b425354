"""A fixed number of places, taken by one claim each: no number of workers ever takes one more.

Counting first and writing afterwards would let two workers take the last place; the ledger's claims cannot.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from engine.ports import Ledger

_LASTING: Final = timedelta(days=3650)
"""As long as anybody may take up a run."""
_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """The places of one kind that one run has; who takes one keeps it until he gives it back."""

    ledger: Ledger
    name: str
    most: int

    def taken(self, now: datetime) -> dict[str, str]:
        """Who has which place. Places are taken from the first on, so that the search ends where none is."""
        found: dict[str, str] = {}
        for start in range(0, self.most, _AT_ONCE):
            keys = [self._key(number) for number in range(start, min(start + _AT_ONCE, self.most))]
            some = dict(self.ledger.holders(keys, now))
            found |= some
            if not some:
                break
        return found

    def take(self, holders: Iterable[str], now: datetime) -> bool:
        """A place for each holder that has none yet; False, and as a rule nothing taken, where there are too few.

        Where another worker takes the last one meanwhile, what was taken until then stays taken: one too few, never
        one too many.
        """
        taken = self.taken(now)
        wanted = sorted(set(holders) - set(taken.values()))
        if len(wanted) > self.most - len(taken):
            return False
        free = (key for number in range(self.most) if (key := self._key(number)) not in taken)
        return all(self._take_one(holder, free, now) for holder in wanted)

    def give_back(self, holder: str, now: datetime) -> None:
        """Free the place of a holder."""
        for key, who in self.taken(now).items():
            if who == holder:
                self.ledger.release(key, holder)

    def _take_one(self, holder: str, free: Iterable[str], now: datetime) -> bool:
        return any(self.ledger.claim(key, holder, now, now + _LASTING) == holder for key in free)

    def _key(self, number: int) -> str:
        return f"{self.name}:{number}"
