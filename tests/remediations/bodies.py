"""Deployment bodies of every shape that Azure might send, with properties that nobody here has heard of."""

from __future__ import annotations

import copy
from datetime import timedelta

from hypothesis import strategies as st

from model.documents import Document, Json
from tests.builders import DAY, HOUR, NOW, a_body, vm

names = st.text(alphabet="abcdefghijklmnopqrstuvwxyzABCXYZ", min_size=1, max_size=8)
texts = st.text(max_size=12)
values: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
_PLACES = (
    (),
    ("properties",),
    ("properties", "updateConfiguration"),
    ("properties", "updateConfiguration", "windows"),
    ("properties", "updateConfiguration", "targets"),
    ("properties", "scheduleInfo"),
    ("properties", "scheduleInfo", "advancedSchedule"),
    ("properties", "tasks"),
)


@st.composite
def bodies(
    draw: st.DrawFn, *, with_machine: str = "", durations: st.SearchStrategy[timedelta] | None = None
) -> Document:
    """A deployment that may be edited, with `with_machine` somewhere in its list and strangers all over."""
    others = draw(st.lists(names.map(vm), min_size=1, max_size=5, unique_by=str.lower))
    if with_machine:
        others.insert(draw(st.integers(0, len(others))), draw(st.sampled_from([with_machine, with_machine.upper()])))
    body = a_body(
        machines=others,
        names=draw(st.lists(names, max_size=2)),
        scopes=draw(st.lists(st.just("/subscriptions/11111111-2222-4333-8444-555555555555"), max_size=1)),
        duration=draw(durations) if durations is not None else 2 * HOUR,
        next_run=NOW + draw(st.integers(1, 60)) * DAY,
        frequency=draw(st.sampled_from(["Week", "Day", "Month", "Hour", "OneTime"])),
        zone=draw(st.sampled_from(["Etc/UTC", "Europe/Berlin", "Asia/Kolkata"])),
    )
    for place in draw(st.lists(st.sampled_from(_PLACES), max_size=4)):
        here: Json = body
        for step in place:
            assert isinstance(here, dict)
            here = here[step]
        assert isinstance(here, dict)
        stranger, value = draw(names), copy.deepcopy(draw(values))
        here.setdefault(f"x{stranger}", value)
    return body
