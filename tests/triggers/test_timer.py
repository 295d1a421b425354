"""The nightly sweep: one for each time of the schedule, however late, and however often it is delivered."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.serve import Simulator
from tests.triggers.app import UNLOCKED, App, objects, outcomes, the_app, writes
from triggers.ncrontab import InvalidSchedule, Schedule


def runs(app: App) -> list[str]:
    """Newest first."""
    return [str(run["id"]) for run in objects(app.get("/runs").json, "runs")]


def test_the_timer_starts_a_sweep_of_everything(locked: App, azure: Simulator) -> None:
    locked.fire("nightly_sweep")
    locked.finish()

    (run,) = runs(locked)
    document = locked.run(run)
    assert (document["trigger"], document["mode"], document["status"]) == ("timer", "dry-run", "completed")
    assert objects(document, "plans")
    assert writes(azure) == []


def test_the_unlocked_timer_repairs_what_the_modes_allow(azure: Simulator, tmp_path: Path) -> None:
    """One state may act, the others are observed."""
    settings = {**UNLOCKED, "PATCHWRIGHT_MODES": '{"automation-rp-not-registered": "act"}'}
    with the_app(azure, tmp_path / "ledger.sqlite", settings) as app:
        app.fire("nightly_sweep")
        app.finish()
        done = outcomes(app.run(runs(app)[0]))

    remediated = {key.split(":")[0] for key, outcome in done.items() if outcome == "remediated"}
    assert remediated == {"automation-rp-not-registered"}
    assert all("register" in asked for asked in writes(azure))


def test_a_night_that_is_delivered_twice_is_swept_once(locked: App) -> None:
    locked.fire("nightly_sweep")
    locked.fire("nightly_sweep")
    locked.finish()
    locked.fire("nightly_sweep")

    assert runs(locked) == ["20260310T020000-timer"]
    assert len(locked.instances) == 1


def test_after_nights_without_the_app_there_is_one_sweep(locked: App, azure: Simulator) -> None:
    """The host calls once, late; the sweep belongs to the last time that was missed."""
    locked.fire("nightly_sweep")
    locked.finish()
    azure.advance(timedelta(days=4, hours=3))

    locked.fire("nightly_sweep", past_due=True)
    locked.finish()

    assert runs(locked) == ["20260314T020000-timer", "20260310T020000-timer"]


def test_every_night_has_its_own_sweep(azure: Simulator, tmp_path: Path) -> None:
    """By a schedule of its own here, and fired a moment early, as timers are."""
    with the_app(azure, tmp_path / "ledger.sqlite", {"SWEEP_SCHEDULE": "0 0 */6 * * *"}) as app:
        azure.advance_to(datetime(2026, 3, 10, 11, 59, 59, tzinfo=UTC))
        app.fire("nightly_sweep")
        azure.advance_to(datetime(2026, 3, 10, 18, 0, 1, tzinfo=UTC))
        app.fire("nightly_sweep")
        app.finish()

        assert runs(app) == ["20260310T180000-timer", "20260310T120000-timer"]


def test_the_host_calls_when_the_schedule_says_so(azure: Simulator, tmp_path: Path) -> None:
    """Not before two o'clock, and then once, by the clock of the simulated estate."""
    with the_app(azure, tmp_path / "ledger.sqlite", timers=True) as app:
        azure.advance_to(datetime(2026, 3, 11, 1, 59, 50, tzinfo=UTC))
        time.sleep(2.5)
        assert runs(app) == []
        azure.advance_to(datetime(2026, 3, 11, 2, 0, 1, tzinfo=UTC))
        for _ in range(100):
            if runs(app):
                break
            time.sleep(0.1)
        app.finish()
        assert runs(app) == ["20260311T020000-timer"]


def test_a_schedule_that_is_none_does_not_keep_the_rest_from_working(azure: Simulator, tmp_path: Path) -> None:
    with the_app(azure, tmp_path / "ledger.sqlite", {"SWEEP_SCHEDULE": "at night"}, timers=True) as app:
        assert app.get("/health").status == 503


@pytest.mark.parametrize(
    ("schedule", "moment", "before", "after"),
    [
        ("0 0 2 * * *", "2026-03-10 02:00:00", "2026-03-10 02:00:00", "2026-03-11 02:00:00"),
        ("0 0 2 * * *", "2026-03-10 01:59:59", "2026-03-09 02:00:00", "2026-03-10 02:00:00"),
        ("30 */15 * * * *", "2026-03-10 23:59:59", "2026-03-10 23:45:30", "2026-03-11 00:00:30"),
        ("0 0 9-17/4 * * mon-fri", "2026-03-13 17:30:00", "2026-03-13 17:00:00", "2026-03-16 09:00:00"),
        ("0 0 0 29 2 *", "2026-03-10 00:00:00", "2024-02-29 00:00:00", "2028-02-29 00:00:00"),
        ("0 30 9 * Jan Mon", "2026-03-10 00:00:00", "2026-01-26 09:30:00", "2027-01-04 09:30:00"),
        ("0 0 12 1,15 * 0", "2026-03-10 00:00:00", "2026-03-01 12:00:00", "2026-03-15 12:00:00"),
        ("0 5/20 * * * *", "2026-03-10 06:30:00", "2026-03-10 06:25:00", "2026-03-10 06:45:00"),
    ],
)
def test_a_schedule_is_read_as_functions_reads_it(schedule: str, moment: str, before: str, after: str) -> None:
    """Day of the month and day of the week must both fit, unlike in cron."""

    def at(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    found = Schedule.parse(schedule)

    assert (found.last_until(at(moment)), found.next_after(at(moment))) == (at(before), at(after))


@pytest.mark.parametrize(
    "schedule",
    [
        "",
        "0 0 2 * *",
        "* * * * * * *",
        "60 0 2 * * *",
        "0 0 24 * * *",
        "0 0 2 0 * *",
        "0 0 2 * 13 *",
        "0 0 2 * * 7",
        "0 0 2-1 * * *",
        "0 0 */0 * * *",
        "0 0 2/ * * *",
        "0 0 x * * *",
        "0 0 mon * * *",
        "0 0 -1 * * *",
        "\N{ARABIC-INDIC DIGIT TWO} 0 2 * * *",
        "0 0 2,, * * *",
    ],
)
def test_what_is_no_schedule_is_refused(schedule: str) -> None:
    with pytest.raises(InvalidSchedule):
        Schedule.parse(schedule)


def test_a_day_that_never_comes_is_never() -> None:
    assert Schedule.parse("0 0 2 30 2 *").next_after(datetime(2026, 1, 1, tzinfo=UTC)) is None


@given(
    moment=st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds the zone
    schedule=st.sampled_from(["0 0 2 * * *", "*/20 * * * * *", "0 30 3 1 * *", "0 0 */7 * * 1-5"]),
)
def test_times_follow_each_other_without_gap_or_overlap(moment: datetime, schedule: str) -> None:
    """The last time until the next one is the next one itself, and there is none between two that follow."""
    found = Schedule.parse(schedule)
    last, following = found.last_until(moment), found.next_after(moment)

    assert last is not None
    assert following is not None
    assert last <= moment < following
    assert found.next_after(last) == following
    assert found.last_until(following) == following
