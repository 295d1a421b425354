"""Simulated estates: any number of machines, reproducible from a seed, with injuries, decoys and the truth about both.

Small estates tell every story of `simulator/stories.py` once, as far as their machines reach; large ones tell each
more often, in proportion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from simulator.fleet import Fleet
from simulator.stories import Stories

DEFAULT_NOW: Final = datetime(2026, 3, 10, 6, 0, tzinfo=UTC)


def generate(machines: int, seed: int, *, now: datetime = DEFAULT_NOW, injured: float = 0.01) -> Fleet:
    """An estate of `machines` virtual machines; the same arguments give the same estate, byte for byte.

    `injured` is the share of machines that a failure state touches, and never less than one case of each kind; 0 is
    an estate with decoys only.
    """
    if machines < 1:
        raise ValueError(f"an estate has at least one machine, not {machines}")
    if not 0 <= injured <= 0.5:
        raise ValueError(f"the injured share is from 0 to 0.5, not {injured}")
    estate = Stories(machines, seed, now)
    _tell(estate, *(story for story in _STORIES if injured or not story.injury))
    while estate.injured < machines * injured and estate.room > machines // 2:
        _tell(estate, *_MORE_INJURIES)
    for _ in range(machines // 1000):
        _tell(estate, *(story for story in _STORIES if story.machines and not story.injury))
    return estate.fleet()


def sample() -> Fleet:
    """The estate of `make demo`: 24 machines, all four failure states with plans, a little advice, a few decoys."""
    estate = Stories(24, 7, DEFAULT_NOW)
    _tell(
        estate,
        *(
            _Story(machines, tell)
            for machines, tell in (
                (0, Stories.unregistered_providers),
                (1, Stories.source_id_changed),
                (3, Stories.clones_with_a_user_worker),
                (1, Stories.window_exceeded),
                (1, Stories.window_at_its_maximum),
                (1, Stories.reinstalled),
                (1, Stories.new_agent),
                (0, Stories.one_time_long_past),
            )
        ),
    )
    return estate.fleet()


@dataclass(frozen=True, slots=True)
class _Story:
    machines: int
    """How many machines of its own it needs, at least."""
    tell: Callable[[Stories], None]
    injury: bool = False


def _tell(estate: Stories, *stories: _Story) -> None:
    """Each story for which there is room left."""
    for story in stories:
        if story.machines <= estate.room:
            story.tell(estate)


_STORIES: Final = (
    # One injury of each state first, then the decoys, then the injuries that end in advice: a tiny estate has what
    # matters most. Twenty machines hold them all.
    _Story(0, Stories.unregistered_providers, injury=True),
    _Story(1, Stories.source_id_changed, injury=True),
    _Story(1, Stories.window_exceeded, injury=True),
    _Story(2, Stories.clones, injury=True),
    _Story(0, Stories.registering_provider),
    _Story(0, Stories.one_time_long_past),
    _Story(0, Stories.exceeded_with_a_download_failure, injury=True),
    _Story(0, Stories.disabled),
    _Story(0, Stories.widened_since),
    _Story(1, Stories.reinstalled),
    _Story(2, Stories.same_name_twice, injury=True),
    _Story(1, Stories.new_agent),
    _Story(1, Stories.swapped_byte_order),
    _Story(1, Stories.moved),
    _Story(1, Stories.restored_from_backup),
    _Story(1, Stories.stopped, injury=True),
    _Story(1, Stories.healed),
    _Story(1, Stories.source_id_changed_alone, injury=True),
    _Story(1, Stories.source_id_changed_too_late, injury=True),
    _Story(2, Stories.clones_with_a_user_worker, injury=True),
    _Story(1, Stories.window_at_its_maximum, injury=True),
    _Story(1, Stories.window_before_another, injury=True),
    _Story(1, Stories.source_id_changed_once, injury=True),
    _Story(0, Stories.another_tenant, injury=True),
    _Story(7, Stories.complaining_agents, injury=True),
)

_MORE_INJURIES: Final = (
    _Story(1, Stories.source_id_changed_once, injury=True),
    _Story(1, Stories.source_id_changed_once, injury=True),
    _Story(4, Stories.clones, injury=True),
    _Story(1, Stories.source_id_changed, injury=True),
    _Story(1, Stories.source_id_changed_once, injury=True),
    _Story(12, Stories.window_exceeded, injury=True),
    _Story(4, Stories.clones, injury=True),
    _Story(1, Stories.source_id_changed_alone, injury=True),
    _Story(3, Stories.clones_with_a_user_worker, injury=True),
    _Story(1, Stories.window_before_another, injury=True),
)
