"""Which run is a deployment's newest, and whether there will be another."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.runs import newest_runs, runs_again
from tests.builders import DAY, NOW, a_body, a_run, facts, update_deployment


@pytest.mark.parametrize(
    ("fields", "again"),
    [
        ({}, True),
        ({"enabled": False}, False),
        ({"enabled": None}, None),
        ({"enabled": "true"}, None),
        ({"next_run": NOW}, None),
        ({"next_run": NOW + timedelta(seconds=1)}, True),
        # A recurring schedule has a next run until it expires.
        ({"next_run": None}, None),
        ({"next_run": None, "expires": "2026-03-10T06:00:00+00:00"}, False),
        ({"next_run": None, "expires": "2026-03-10T06:00:01+00:00"}, None),
        ({"frequency": "OneTime"}, True),
        ({"frequency": "onetime", "next_run": None}, False),
        ({"frequency": "OneTime", "next_run": NOW - DAY}, False),
        ({"frequency": "OneTime", "next_run": None, "enabled": None}, None),
    ],
)
def test_whether_a_deployment_will_run_again(fields: dict[str, Any], again: bool | None) -> None:  # noqa: FBT001
    assert runs_again(a_body(**fields), NOW) is again


def test_a_document_without_a_schedule_does_not_say() -> None:
    assert runs_again({"properties": {}}, NOW) is None


@given(st.permutations([0, 1, 2, 3]))
def test_the_newest_run_is_the_one_that_started_last_however_they_are_listed(order: list[int]) -> None:
    runs = [a_run(f"run-{n}", of="WEEKLY", start=NOW - n * DAY if n < 3 else None) for n in order]
    newest = newest_runs(facts(bodies=[a_body()], runs=runs))

    assert [run.id for run in newest.by_deployment[update_deployment("Weekly").lower()]] == [
        f"run-{n}" for n in range(4)
    ]
    assert [newest.deployment_of(f"run-{n}") is not None for n in range(4)] == [True, False, False, False]


def test_runs_of_a_deployment_that_is_gone_belong_to_nobody() -> None:
    newest = newest_runs(facts(bodies=[a_body()], runs=[a_run(of="Gone")]))

    assert newest.by_deployment == {}
    assert newest.deployment_of("run-1") is None
