"""A Linux machine's clock is set by the time service that it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.remediations.test_linux_scripts import SHELLS, Guest

RUNS = '[ "$1" = is-active ] || exit 0; for last; do :; done; case $last in {}) exit 0 ;; *) exit 3 ;; esac'


@pytest.fixture(params=SHELLS)
def guest(request: pytest.FixtureRequest, tmp_path: Path) -> Guest:
    made = Guest(tmp_path, str(request.param))
    made.write("proc/uptime", "5000.25 9000.00\n")
    return made


def changes(guest: Guest) -> list[str]:
    """What was called, without what only looks."""
    return [call for call in guest.calls if " is-active " not in call]


@pytest.mark.parametrize("unit", ["chronyd", "chrony"])
def test_chrony_steps_the_clock(guest: Guest, unit: str) -> None:
    guest.has(systemctl=RUNS.format(unit), chronyc="echo '200 OK'")
    ended = guest.run("resync-clock")

    assert ended.outcome == (0, "resynchronized")
    assert ended.said["service"] == "chrony"
    assert changes(guest) == ["chronyc -a makestep"]


def test_timesyncd_is_started_anew(guest: Guest) -> None:
    guest.has(systemctl=RUNS.format("systemd-timesyncd"))
    ended = guest.run("resync-clock", {"SettleSeconds": "0"})

    assert ended.outcome == (0, "resynchronized")
    assert changes(guest) == ["systemctl restart systemd-timesyncd"]


def test_a_machine_without_a_time_service_is_left_alone(guest: Guest) -> None:
    """One that is installed and does not run is its owner's matter, too."""
    guest.has(systemctl=RUNS.format("nothing"), chronyc="exit 0")
    ended = guest.run("resync-clock")

    assert ended.outcome == (3, "refused")
    assert changes(guest) == []


def test_the_same_step_sets_the_clock_once(guest: Guest) -> None:
    guest.has(systemctl=RUNS.format("chronyd"), chronyc="echo '200 OK'")
    first, again = guest.run("resync-clock"), guest.run("resync-clock")

    assert first.said == again.said
    assert changes(guest) == ["chronyc -a makestep"]


def test_how_far_the_clock_moved_is_told(guest: Guest) -> None:
    """It is set back an hour while no second passes in truth."""
    clock = guest.write("clock", "1000000")
    guest.has(systemctl=RUNS.format("chronyd"), chronyc=f"echo 996400 >{clock}", date=f"cat {clock}")
    ended = guest.run("resync-clock")

    assert ended.said["movedSeconds"] == -3600


def test_a_service_that_fails_is_quoted(guest: Guest) -> None:
    guest.has(systemctl=RUNS.format("chronyd"), chronyc="echo '506 Cannot talk to \"daemon\"'; exit 1")
    ended = guest.run("resync-clock")

    assert ended.outcome == (1, "failed")
    assert "506 Cannot talk to daemon" in str(ended.said["reason"])


@pytest.mark.parametrize("step", ["", "xyz", "0123456789ABCDEF", "../../../etc/x00"])
def test_a_step_that_is_not_of_the_expected_form_is_refused(guest: Guest, step: str) -> None:
    guest.has(systemctl=RUNS.format("chronyd"), chronyc="exit 0")

    assert guest.run("resync-clock", {"StepId": step}).outcome == (3, "refused")
    assert changes(guest) == []
