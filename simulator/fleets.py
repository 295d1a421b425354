"""Simulated estates: any number of machines, reproducible from a seed, with injuries, decoys and the truth about both.

Small estates tell the first stories of `simulator/stories/` once, as far as their machines reach. From a hundred
machines on they tell of every failure state, and of ten seeds three have something wrong with the workspace, too; the
largest tell each story more often, in proportion.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from model.states import FailureState
from simulator.fleet import Fleet
from simulator.stories import (
    agents,
    groups,
    identities,
    linux,
    portal,
    starts,
    subscriptions,
    updates,
    windows,
    workspaces,
)
from simulator.stories.book import Book, Story

_FIRST_STATES: Final = (
    FailureState.AUTOMATION_RP_NOT_REGISTERED,
    FailureState.CLONED_MACHINE,
    FailureState.MAINTENANCE_WINDOW_EXCEEDED,
    FailureState.SOURCE_ID_CHANGED,
    FailureState.VM_STOPPED,
    FailureState.UPDATE_AGENT_ERROR,
    FailureState.DUPLICATE_COMPUTER_NAME,
    FailureState.CROSS_TENANT_LINKED_SUBSCRIPTION,
    FailureState.MACHINE_REGISTERED_TO_DIFFERENT_ACCOUNT,
    FailureState.MACHINE_CANNOT_COMMUNICATE,
    FailureState.SELFSIGNED_CERT_FAILURE,
    FailureState.HYBRID_AGENT_EVENT_4502,
)
"""Of these the truth of every estate is complete."""
LARGE: Final = 100
"""From so many machines on, an estate tells of every state; smaller ones tell of the first ones only."""
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
    estate = Book(machines, seed, now)
    estate.swaps = machines >= LARGE
    _tell(estate, *(story for story in _STORIES if injured or not story.injury))
    if machines < LARGE:
        return estate.fleet(_FIRST_STATES)
    _tell(estate, *(story for story in _LARGE_STORIES if injured or not story.injury))
    while estate.injured < machines * injured and estate.room > machines // 2:
        _tell(estate, *_MORE_INJURIES)
    for _ in range(machines // 1000):
        _tell(estate, *(story for story in (*_STORIES, *_LARGE_STORIES) if story.machines and not story.injury))
    if injured:
        estate.last.append(workspaces.befalls)
    return estate.fleet(FailureState)


def sample() -> Fleet:
    """The estate of `make demo`: 24 machines, all four failure states with plans, a little advice, a few decoys."""
    estate = Book(24, 7, DEFAULT_NOW)
    _tell(
        estate,
        *(
            Story(machines, tell)
            for machines, tell in (
                (0, subscriptions.unregistered_providers),
                (1, identities.source_id_changed),
                (3, identities.clones_with_a_user_worker),
                (1, windows.window_exceeded),
                (1, windows.window_at_its_maximum),
                (1, identities.reinstalled),
                (1, identities.new_agent),
                (0, windows.one_time_long_past),
            )
        ),
    )
    return estate.fleet(_FIRST_STATES)


def _tell(estate: Book, *stories: Story) -> None:
    """Each story for which there is room left."""
    for story in stories:
        if story.machines <= estate.room:
            story.tell(estate)


_STORIES: Final = (
    # One injury of each state first, then the decoys, then the injuries that end in advice: a tiny estate has what
    # matters most. Twenty machines hold them all.
    Story(0, subscriptions.unregistered_providers, injury=True),
    Story(1, identities.source_id_changed, injury=True),
    Story(1, windows.window_exceeded, injury=True),
    Story(2, identities.clones, injury=True),
    Story(0, subscriptions.registering_provider),
    Story(0, windows.one_time_long_past),
    Story(0, windows.exceeded_with_a_download_failure, injury=True),
    Story(0, windows.disabled),
    Story(0, windows.widened_since),
    Story(1, identities.reinstalled),
    Story(2, identities.same_name_twice, injury=True),
    Story(1, identities.new_agent),
    Story(1, identities.swapped_byte_order),
    Story(1, identities.moved),
    Story(1, identities.restored_from_backup),
    Story(1, starts.stopped, injury=True),
    Story(1, identities.healed),
    Story(1, identities.source_id_changed_alone, injury=True),
    Story(1, identities.source_id_changed_too_late, injury=True),
    Story(2, identities.clones_with_a_user_worker, injury=True),
    Story(1, windows.window_at_its_maximum, injury=True),
    Story(1, windows.window_before_another, injury=True),
    Story(1, identities.source_id_changed_once, injury=True),
    Story(0, subscriptions.another_tenant, injury=True),
    Story(7, agents.complaining_agents, injury=True),
)

_LARGE_STORIES: Final = tuple(
    sorted(
        (
            story
            for area in (portal, identities, starts, subscriptions, updates, linux, agents, groups)
            for story in area.STORIES
        ),
        key=lambda story: not story.injury,
    )
)
"""Injuries first here, too: a state must not be missing for want of room."""

_MORE_INJURIES: Final = (
    Story(1, identities.source_id_changed_once, injury=True),
    Story(1, identities.source_id_changed_once, injury=True),
    Story(4, identities.clones, injury=True),
    Story(1, identities.source_id_changed, injury=True),
    Story(1, identities.source_id_changed_once, injury=True),
    Story(12, windows.window_exceeded, injury=True),
    Story(4, identities.clones, injury=True),
    Story(1, identities.source_id_changed_alone, injury=True),
    Story(3, identities.clones_with_a_user_worker, injury=True),
    Story(1, windows.window_before_another, injury=True),
)
