"""`silent-machines.kql`, executed: the last beat of each machine that is silent, and who it was then."""

from __future__ import annotations

from datetime import timedelta

import pytest

from model.documents import Document
from tests.builders import DAY, HOUR, MINUTE, NOW
from tests.detectors.test_queries import ONE, SQL, TWO, WEB, a_heartbeat, answered, stamp


def silent(*beats: Document) -> set[str]:
    return {str(row["MachineId"]) for row in answered("silent-machines", Heartbeat=beats)}


def test_the_last_beat_says_when_and_who() -> None:
    beats = [a_heartbeat(SQL, ONE, ago=9 * DAY), a_heartbeat(SQL, TWO.upper(), ago=5 * DAY), a_heartbeat(WEB, ONE)]

    assert answered("silent-machines", Heartbeat=beats) == [
        {
            "MachineId": SQL.id,
            "VmId": SQL.vm_id,
            "SourceComputerId": TWO,
            "Computer": "sql-01.contoso.com",
            "LastBeat": stamp(NOW - 5 * DAY),
        }
    ]


# An hour is silence, a minute less is not; before 35 days nothing is looked for.
@pytest.mark.parametrize(
    ("ago", "rows"), [(61 * MINUTE, 1), (59 * MINUTE, 0), (35 * DAY - HOUR, 1), (35 * DAY + HOUR, 0)]
)
def test_silence_begins_after_an_hour(ago: timedelta, rows: int) -> None:
    assert len(silent(a_heartbeat(SQL, ONE, ago=ago))) == rows


def test_a_machine_of_which_only_the_newer_agent_beats_is_silent() -> None:
    beats = [a_heartbeat(SQL, ONE, ago=DAY), a_heartbeat(SQL, TWO, category="Azure Monitor Agent")]
    assert silent(*beats) == {SQL.id}


def test_the_resource_id_is_the_machine_however_it_is_spelled() -> None:
    beats = [a_heartbeat(SQL, ONE, ago=DAY), a_heartbeat(SQL, ONE, resource_id=SQL.id.upper())]
    assert silent(*beats) == set()
