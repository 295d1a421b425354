"""The comparison of two documents field by field."""

from __future__ import annotations

import copy
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.documents import ABSENT, Change, Document, Json, at, differences, list_at, text_at

names = st.text(alphabet="abcde", min_size=1, max_size=3)
plain: st.SearchStrategy[Json] = st.booleans() | st.integers(-3, 3) | st.text(alphabet="xyz", max_size=2)


def nested(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """Lists of plain values, lists of objects, objects. Azure's lists hold no null."""
    objects = st.dictionaries(names, inner, max_size=3)
    return st.one_of(st.lists(plain, max_size=4), st.lists(objects, max_size=3), objects)


documents: st.SearchStrategy[Json] = st.dictionaries(
    names, st.recursive(st.none() | plain, nested, max_leaves=8), max_size=4
)


def told(value: Json) -> Json:
    """A document without what is absent, and with every value's kind beside it: to Python, True is 1."""
    match value:
        case dict():
            return {key: told(inner) for key, inner in value.items() if inner is not None}
        case list():
            return [told(inner) for inner in value]
        case _:
            return [type(value).__name__, value]


def applied(document: Json, changes: list[Change]) -> Json:
    """The document with each change made: what a person does who reads them."""
    result: Json = {"": copy.deepcopy(document)}
    removed: list[tuple[list[Json], int]] = []
    for change in changes:
        steps: list[str | int] = [
            int(part[1:-1]) if part[0] == "[" else part for part in re.findall(r"[^.\[\]]+|\[\d+\]", f"{change.field}")
        ]
        here, last = walk(result, ["", *steps])
        if isinstance(here, dict):
            assert isinstance(last, str)
            if change.after == ABSENT:
                del here[last]
            else:
                here[last] = change.after
        elif isinstance(here, list):
            assert isinstance(last, int)
            if change.after == ABSENT:
                removed.append((here, last))
            elif change.before == ABSENT:
                # Entries are told by their final places, so those that go have gone before the first comes.
                drop(removed)
                here.insert(last, change.after)
            else:
                here[last] = change.after
    drop(removed)
    assert isinstance(result, dict)
    return result[""]


def drop(removed: list[tuple[list[Json], int]]) -> None:
    for where, index in sorted(removed, key=lambda each: -each[1]):
        del where[index]
    removed.clear()


def walk(document: Json, steps: list[str | int]) -> tuple[Json, str | int]:
    for step in steps[:-1]:
        if isinstance(document, dict):
            assert isinstance(step, str)
            document = document[step]
        else:
            assert isinstance(document, list)
            assert isinstance(step, int)
            document = document[step]
    return document, steps[-1]


@given(documents, documents)
def test_the_changes_explain_the_whole_difference(before: Json, after: Json) -> None:
    """Who makes each listed change to the one document has the other, up to what is absent."""
    assert told(applied(before, list(differences(before, after)))) == told(after)


@given(documents, documents)
def test_there_is_no_change_if_and_only_if_nothing_but_absent_fields_differ(before: Json, after: Json) -> None:
    assert (not list(differences(before, after))) is (told(before) == told(after))


@given(documents)
def test_a_document_is_like_itself(document: Json) -> None:
    assert list(differences(document, copy.deepcopy(document))) == []


@given(documents, documents)
def test_looking_changes_neither(before: Json, after: Json) -> None:
    copies = copy.deepcopy((before, after))

    list(differences(before, after))

    assert (before, after) == copies


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, [("a.b", 1, 2)]),
        ({"a": 1}, {"a": None}, [("a", 1, ABSENT)]),
        ({}, {"a": None}, []),
        ({"a": 1}, {"a": True}, [("a", 1, True)]),
        ({"a": [1]}, {"a": [True]}, [("a[0]", 1, ABSENT), ("a[0]", ABSENT, True)]),
        # One entry of many is one line.
        ({"a": ["x", "y", "z"]}, {"a": ["x", "z"]}, [("a[1]", "y", ABSENT)]),
        ({"a": ["x", "z"]}, {"a": ["x", "y", "z"]}, [("a[1]", ABSENT, "y")]),
        ({"a": ["x", "x", "y"]}, {"a": ["y"]}, [("a[0]", "x", ABSENT), ("a[1]", "x", ABSENT)]),
        # Another order, or another number of the same, is told as a whole.
        ({"a": ["x", "y"]}, {"a": ["y", "x"]}, [("a", ["x", "y"], ["y", "x"])]),
        ({"a": ["x", "x"]}, {"a": ["x"]}, [("a", ["x", "x"], ["x"])]),
        ({"a": ["x", "y", "z"]}, {"a": ["z", "y"]}, [("a", ["x", "y", "z"], ["z", "y"])]),
        ({"a": []}, {"a": None}, [("a", [], ABSENT)]),
        # Objects in lists are compared place by place.
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}, {"b": 3}]}, [("a[0].b", 1, 2), ("a[1]", ABSENT, {"b": 3})]),
        ({"a": [1]}, {"a": {"b": 1}}, [("a", [1], {"b": 1})]),
        # In document order, new fields last.
        ({"b": 1, "a": 1}, {"c": 2, "a": 2, "b": 2}, [("b", 1, 2), ("a", 1, 2), ("c", ABSENT, 2)]),
    ],
)
def test_each_change_names_its_field(before: Document, after: Document, changes: list[tuple[str, Json, Json]]) -> None:
    assert [(change.field, change.before, change.after) for change in differences(before, after)] == changes


BODY: Document = {"a": {"b": {"c": "text", "n": 3, "l": [1]}}, "l": ["x"], "z": None}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b.c", "text"),
        ("a.b", {"c": "text", "n": 3, "l": [1]}),
        ("a.x.c", None),
        ("a.b.c.d", None),
        ("l.0", None),
        ("z", None),
    ],
)
def test_a_path_that_leads_nowhere_leads_to_none(path: str, value: Json) -> None:
    assert at(BODY, path) == value


def test_a_value_of_another_kind_counts_as_absent() -> None:
    assert (text_at(BODY, "a.b.c"), text_at(BODY, "a.b.n"), text_at(BODY, "nowhere")) == ("text", "", "")
    assert (list_at(BODY, "a.b.l"), list_at(BODY, "a.b"), list_at(BODY, "nowhere")) == ([1], [], [])
