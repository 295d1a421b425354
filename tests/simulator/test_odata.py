"""Automation's filters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.documents import Document
from simulator.odata import BadFilter, parse

RUN: Document = {
    "name": "r",
    "properties": {
        "status": "Failed",
        "startTime": "2026-03-10T06:00:00.0000000+01:00",
        "deployment": {"name": "O'Hara's"},
        "vms": ["/a/B"],
        "nothing": None,
    },
}


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("", True),
        ("properties/status eq 'failed'", True),  # values compare without case
        ("Properties/Status eq 'Failed'", True),
        ("properties/status ne 'Failed'", False),
        ("properties/deployment/name eq 'O''Hara''s'", True),
        ("properties/startTime ge 2026-03-10T05:00:00Z", True),  # offsets are reckoned with
        ("properties/startTime gt 2026-03-10T05:00:00Z", False),
        ("properties/startTime lt '2026-03-10T05:00:01Z'", True),
        ("properties/nothing eq 'x'", False),
        ("properties/nothing ne 'x'", True),
        ("properties/absent eq 'x'", False),
        ("properties/vms/any(m: m eq '/A/b')", True),
        ("properties/vms/any(m: m eq '/a/c')", False),
        ("properties/status eq 'x' or properties/status eq 'Failed' and properties/status eq 'Failed'", True),
        ("(properties/status eq 'Failed' or properties/status eq 'x') and properties/status eq 'x'", False),
    ],
)
def test_a_filter_takes_what_it_says(text: str, *, fits: bool) -> None:
    assert parse(text)(RUN) is fits


@pytest.mark.parametrize(
    "text", ["x", "status eq 'x'", "properties/a eq", "properties/a eq 'x' and", "'", "properties/a/any(m: n eq 'x')"]
)
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(BadFilter):
        parse(text)


@given(st.text(max_size=60))
def test_any_text_is_a_filter_or_is_refused(text: str) -> None:
    try:
        predicate = parse(text)
    except BadFilter:
        return
    assert predicate(RUN) in {True, False}
