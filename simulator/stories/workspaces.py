"""What is wrong with the workspace as a whole, and what of its machines cannot be told until that is mended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from model.states import FailureState
from simulator import rows
from simulator.draft import HOUR
from simulator.stories.book import Book
from simulator.templates import Condition

_QUOTA: Final = FailureState.WORKSPACE_OVER_QUOTA
_LINK: Final = FailureState.WORKSPACE_NOT_LINKED
_SOLUTION: Final = FailureState.UPDATES_SOLUTION_MISSING
_ALL: Final = (_QUOTA, _LINK, _SOLUTION)
EXPLAINED: Final = frozenset(
    {
        FailureState.NO_HEARTBEAT,
        FailureState.NOT_ASSESSED,
        FailureState.SCOPE_EXCLUDED,
        FailureState.REGISTRATION_BLOCKED,
        FailureState.NOT_IN_DYNAMIC_GROUP_PREVIEW,
        # What depends on whether the agent beats, which nobody can tell meanwhile.
        FailureState.WORKER_UNREACHABLE,
        FailureState.WORKER_GROUP_PURGED,
    }
)
"""What of single machines the workspace explains, or hides."""
OF_NOW: Final = frozenset(
    {
        FailureState.CLOCK_SKEW,
        FailureState.CLONED_MACHINE,
        FailureState.DUPLICATE_COMPUTER_NAME,
        # Clones, which nobody can tell then, look like machines that changed their identity.
        FailureState.SOURCE_ID_CHANGED,
        # A clock that is ahead, which nobody can tell then, is refused just so.
        FailureState.WORKER_REGISTRATION_FORBIDDEN,
    }
)
"""What only beats of the last hour can show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plight:
    """One way in which a workspace is unwell, or only looks so."""

    state: FailureState | None
    """None where it is well."""
    then: str = ""
    why: str
    condition: Condition
    said: tuple[tuple[timedelta, str, str], ...] = ()
    """What it reported of its data collection: how long ago, status and text."""
    silent_for: timedelta | None = None
    """How long it has taken no data in."""
    without_solution_for: timedelta | None = None


_STOPPED: Final = 3 * HOUR
_SAID: Final = ((_STOPPED, "Warning", rows.OVER_QUOTA),)
_OVER: Final = (
    Plight(
        state=_QUOTA,
        then="plan",
        why="its daily cap of 1 GB is reached",
        condition=Condition(ingestion="OverQuota", quota_gb=1.0),
        said=_SAID,
        silent_for=_STOPPED,
    ),
    Plight(
        state=_QUOTA,
        then="advice",
        why="its log says that it is over its quota, and its own status lags behind",
        condition=Condition(quota_gb=5.0),
        said=_SAID,
        silent_for=_STOPPED,
    ),
    Plight(
        state=_QUOTA,
        then="advice",
        why="Azure has switched its data collection off",
        condition=Condition(ingestion="ForceOff"),
        silent_for=_STOPPED,
    ),
    Plight(
        state=_QUOTA,
        then="advice",
        why="its subscription is suspended",
        condition=Condition(ingestion="SubscriptionSuspended"),
        silent_for=_STOPPED,
    ),
)
_UNLINKED: Final = (
    Plight(
        state=_LINK,
        then="advice",
        why="the account is linked to no workspace",
        condition=Condition(account_links=False),
    ),
    Plight(
        state=_LINK,
        then="advice",
        why="the workspace has no linked service",
        condition=Condition(workspace_links=False),
    ),
)
_BARE: Final = (
    Plight(
        state=_SOLUTION,
        then="advice",
        why="it has no Updates solution",
        condition=Condition(has_solution=False, pack_enabled=False),
        without_solution_for=2 * HOUR,
    ),
    Plight(
        state=_SOLUTION,
        then="advice",
        why="its Updates solution is switched off",
        condition=Condition(pack_enabled=False),
        without_solution_for=2 * HOUR,
    ),
)
_WELL: Final = (
    Plight(
        state=None,
        why="it resumed after its cap was reset",
        condition=Condition(quota_gb=5.0),
        said=((9 * HOUR, "Warning", rows.OVER_QUOTA), (8 * HOUR, "Succeeded", rows.RESUMED)),
    ),
    Plight(
        state=None,
        why="eighty percent of its cap is a warning",
        condition=Condition(ingestion="ApproachingQuota", quota_gb=5.0),
    ),
)
_BY_SEED: Final = {6: _WELL, 7: _OVER, 8: _UNLINKED, 9: _BARE}
"""Of ten seeds one each; the other workspaces are plainly well."""


def befalls(book: Book) -> None:
    """What of the workspace the estate's seed tells; after all that is told of its machines."""
    plights = _BY_SEED.get(book.seed % 10)
    if plights is None:
        book.is_spared(_ALL, [book.workspace.lower()], "it is well")
        return
    plight = plights[book.seed // 10 % len(plights)]
    book.condition = plight.condition
    for ago, status, text in plight.said:
        book.reports(book.now - ago, text, status=status)
    if plight.state is None:
        book.is_spared(_ALL, [book.workspace.lower()], plight.why)
        return
    hidden = EXPLAINED
    if plight.silent_for:
        book.stops(book.now - plight.silent_for)
        hidden |= OF_NOW
    if plight.without_solution_for:
        book.loses_the_solution(book.now - plight.without_solution_for)
    book.explains(plight.state, hidden, plight.why)
    book.suffers(plight.state, book.workspace.lower(), plight.then, plight.why, 0)
    others = [state for state in _ALL if state is not plight.state]
    book.is_spared(others, [book.workspace.lower()], "one cause is enough")
