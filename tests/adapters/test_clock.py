"""The present, and waiting."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from adapters.clock import SimulatorClock, SystemClock
from engine.ports import AzureUnavailable
from simulator.fleets import generate
from simulator.serve import running
from tests.adapters.stub import Said, answering


def test_the_simulated_clock_is_moved_by_waiting() -> None:
    """Hours pass at once; a time that is over is not waited for."""
    fleet = generate(5, 1)
    with running(fleet) as azure:
        clock, started = SimulatorClock(azure.url), time.monotonic()
        assert clock.now() == fleet.now
        clock.sleep_until(fleet.now + timedelta(hours=7))
        assert clock.now() == azure.now == fleet.now + timedelta(hours=7)
        clock.sleep_until(fleet.now)
        assert clock.now() == fleet.now + timedelta(hours=7)
        assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    "said", [Said(body={}), Said(body=[]), Said(body={"now": "soon"}), Said(status=500), Said(body=b"<")]
)
def test_a_simulated_clock_that_does_not_tell_the_time_is_unavailable(said: Said) -> None:
    with answering(lambda _: said) as azure, pytest.raises(AzureUnavailable, match="clock"):
        SimulatorClock(azure.url).now()


def test_the_machines_clock_is_aware_and_waits() -> None:
    clock, started = SystemClock(), time.monotonic()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert clock.now().utcoffset() == timedelta(0)
    clock.sleep_until(clock.now() - timedelta(days=1))
    clock.sleep_until(clock.now() + timedelta(milliseconds=50))
    assert 0.04 < time.monotonic() - started < 5
