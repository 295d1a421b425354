"""Every place of a document, and the document with something else there."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Final

from hypothesis import strategies as st

from model.documents import ABSENT, Document, Json
from tests.builders import vm

KNOWN: Final = {"startTime": "2031-05-01T03:00:00+00:00", "expiryTime": "2031-05-01T03:00:00+00:00", "duration": "PT5H"}
"""Of a field whose text has a meaning: another meaning."""

type Place = tuple[str | int, ...]


def places(value: Json, here: Place = ()) -> Iterator[Place]:
    """Everything in a document that has a name or a place in a list of objects; objects before what is in them."""
    if here:
        yield here
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*here, key))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, inner in enumerate(value):
            yield from places(inner, (*here, index))


def spelled(place: Place) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


def found(document: Json, place: Place) -> Json:
    for part in place:
        assert isinstance(document, dict | list)
        document = document[part]  # type: ignore[index] # a place fits its document
    return document


def put(document: Document, place: Place, value: Json) -> Document:
    """A copy with another value there; `ABSENT` takes it away."""
    made = copy.deepcopy(document)
    parent = found(made, place[:-1])
    if value == ABSENT:
        assert isinstance(parent, dict)
        del parent[str(place[-1])]
    else:
        parent[place[-1]] = value  # type: ignore[index] # as above
    return made


def another(place: Place, value: Json) -> Json:
    """Something else of the same kind."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str() if place[-1] in KNOWN:
            return KNOWN[str(place[-1])]
        case str():
            return f"{value}-other"
        case list():
            return [*value, copy.deepcopy(value[0]) if value and isinstance(value[0], dict) else vm("added")]
        case dict():
            return {**value, "xUnknown": 1}
        case None:
            return "there is something now"


def says_nothing(value: Json) -> bool:
    """What Azure takes for absent."""
    return value is None or value in ("", []) or (isinstance(value, dict) and all(map(says_nothing, value.values())))


unheard_of: Final = st.recursive(
    st.booleans() | st.integers(-3, 3) | st.text("ab", min_size=1, max_size=3),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=2) | st.dictionaries(st.text("xy", min_size=1), inner, min_size=1)
    ),
    max_leaves=4,
)
"""What a field that nobody here has heard of may hold; never what counts as absent."""
