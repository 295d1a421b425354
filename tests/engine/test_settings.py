"""Settings are read once, and every problem is reported at once, by name."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.settings import InvalidSettings, Settings
from model.calendars import parse_freezes, parse_windows
from model.states import FailureState, Impact, Mode
from tests.builders import ACCOUNT, ELSEWHERE, SUBSCRIPTION, WORKSPACE, vm

LEAST = {
    "PATCHWRIGHT_SUBSCRIPTIONS": SUBSCRIPTION,
    "PATCHWRIGHT_AUTOMATION_ACCOUNTS": ACCOUNT,
    "PATCHWRIGHT_WORKSPACES": WORKSPACE,
}


def read(**env: str) -> Settings:
    return Settings.from_env({**LEAST, **env})


def problems(**env: str) -> tuple[str, ...]:
    with pytest.raises(InvalidSettings) as raised:
        read(**env)
    return raised.value.problems


def test_without_anything_said_the_app_only_looks() -> None:
    settings = read()

    assert settings.dry_run is True
    assert {settings.mode(state) for state in FailureState} == {Mode.OBSERVE}
    assert (settings.cloud, settings.simulated) == ("public", False)
    assert settings.next_run_margin == timedelta(minutes=15)
    assert settings.max_window == timedelta(hours=6)


def test_everything_that_can_be_set_is_read() -> None:
    settings = read(
        DRY_RUN=" False ",
        PATCHWRIGHT_SUBSCRIPTIONS=f"{SUBSCRIPTION.upper()}, {ELSEWHERE};{SUBSCRIPTION}",
        PATCHWRIGHT_CLOUD="http://127.0.0.1:8080/",
        PATCHWRIGHT_MODES='{"*": "ask", "cloned-machine": "off"}',
        SWEEP_SCHEDULE="0 30 1 * * MON-FRI",
        PATCHWRIGHT_EXCLUDE_TAG="hands-off",
        PATCHWRIGHT_START_TAG="wake-me",
        PATCHWRIGHT_JOB_LIMIT="200",
        PATCHWRIGHT_QUOTA_STEP_GB="0.5",
        PATCHWRIGHT_QUOTA_CEILING_GB="12",
        PATCHWRIGHT_MAX_MACHINES="7",
        PATCHWRIGHT_MAX_PERCENT="3",
        PATCHWRIGHT_MAX_IMPACT="Disruptive",
        PATCHWRIGHT_LARGEST_WAVE="4",
        PATCHWRIGHT_ERROR_BUDGET="1",
        PATCHWRIGHT_COOL_DOWN="P2D",
        PATCHWRIGHT_APPROVAL_EXPIRY="PT8H",
        PATCHWRIGHT_ATTEMPTS="3",
        PATCHWRIGHT_ATTEMPTS_WITHIN="P7D",
        PATCHWRIGHT_INEFFECTIVE_WITHIN="P30D",
        PATCHWRIGHT_OWNER="patching@contoso.com",
        PATCHWRIGHT_OWNER_TAG="team",
        PATCHWRIGHT_STORM_PERCENT="30",
        PATCHWRIGHT_STORM_COOL_DOWN="PT1H",
        PATCHWRIGHT_CHANGE_WINDOWS="mon-fri 22:00-04:00 Europe/Amsterdam; sat 00:00-24:00 UTC",
        PATCHWRIGHT_FREEZES="2026-12-18/2027-01-03 Europe/Amsterdam",
        PATCHWRIGHT_FACTS_MAX_AGE="PT30M",
        PATCHWRIGHT_LOG_MAX_LAG="PT2H",
        PATCHWRIGHT_NEXT_RUN_MARGIN="PT20M",
        PATCHWRIGHT_MAX_WINDOW="PT3H",
        PATCHWRIGHT_LOOKBACK="P10D",
        PATCHWRIGHT_LEDGER="sqlite:/var/ledger.sqlite",
        PATCHWRIGHT_READER_CLIENT_ID=ELSEWHERE.upper(),
        PATCHWRIGHT_WRITER_CLIENT_ID=SUBSCRIPTION,
    )

    assert settings == Settings(
        dry_run=False,
        subscriptions=(SUBSCRIPTION, ELSEWHERE),
        account=ACCOUNT,
        workspace=WORKSPACE,
        cloud="http://127.0.0.1:8080",
        modes=dict.fromkeys(FailureState, Mode.ASK) | {FailureState.CLONED_MACHINE: Mode.OFF},
        sweep_schedule="0 30 1 * * MON-FRI",
        exclude_tag="hands-off",
        start_tag="wake-me",
        job_limit=200,
        quota_step_gb=0.5,
        quota_ceiling_gb=12,
        max_machines=7,
        max_percent=3,
        max_impact=Impact.DISRUPTIVE,
        largest_wave=4,
        error_budget=1,
        cool_down=timedelta(days=2),
        approval_expiry=timedelta(hours=8),
        attempts=3,
        attempts_within=timedelta(days=7),
        ineffective_within=timedelta(days=30),
        owner="patching@contoso.com",
        owner_tag="team",
        storm_percent=30,
        storm_cool_down=timedelta(hours=1),
        change_windows=parse_windows("mon-fri 22:00-04:00 Europe/Amsterdam; sat 00:00-24:00 UTC"),
        freezes=parse_freezes("2026-12-18/2027-01-03 Europe/Amsterdam"),
        facts_max_age=timedelta(minutes=30),
        log_max_lag=timedelta(hours=2),
        next_run_margin=timedelta(minutes=20),
        max_window=timedelta(hours=3),
        lookback=timedelta(days=10),
        ledger="sqlite:/var/ledger.sqlite",
        reader_client_id=ELSEWHERE,
        writer_client_id=SUBSCRIPTION,
    )
    assert settings.simulated


WRONG: list[tuple[str, str]] = [
    ("DRY_RUN", "no"),
    ("DRY_RUN", "0"),
    ("PATCHWRIGHT_SUBSCRIPTIONS", ""),
    ("PATCHWRIGHT_SUBSCRIPTIONS", "production"),
    ("PATCHWRIGHT_SUBSCRIPTIONS", f"{SUBSCRIPTION},all"),
    ("PATCHWRIGHT_AUTOMATION_ACCOUNTS", ""),
    ("PATCHWRIGHT_AUTOMATION_ACCOUNTS", "aa-contoso"),
    ("PATCHWRIGHT_AUTOMATION_ACCOUNTS", WORKSPACE),
    ("PATCHWRIGHT_AUTOMATION_ACCOUNTS", f"{ACCOUNT} {ACCOUNT}2"),
    ("PATCHWRIGHT_WORKSPACES", ""),
    ("PATCHWRIGHT_WORKSPACES", vm("web-01")),
    ("PATCHWRIGHT_CLOUD", "germany"),
    ("PATCHWRIGHT_CLOUD", "https://127.0.0.1:8080"),
    ("PATCHWRIGHT_CLOUD", "http://management.example.com"),
    ("PATCHWRIGHT_CLOUD", "http://127.0.0.1.example.com:80"),
    ("PATCHWRIGHT_CLOUD", "http://[::1"),
    ("PATCHWRIGHT_MODES", "act"),
    ("PATCHWRIGHT_MODES", '["act"]'),
    ("PATCHWRIGHT_MODES", '{"cloned-machines": "act"}'),
    ("PATCHWRIGHT_MODES", '{"cloned-machine": "always"}'),
    ("PATCHWRIGHT_MODES", '{"cloned-machine": ["act"]}'),
    ("PATCHWRIGHT_MODES", '{"cloned-machine": null}'),
    ("PATCHWRIGHT_MODES", '{"*": "Act"}'),
    ("PATCHWRIGHT_WSUS_SERVER", "wsus.contoso.com"),
    ("PATCHWRIGHT_WSUS_SERVER", "ftp://wsus.contoso.com"),
    ("PATCHWRIGHT_WSUS_SERVER", "https://wsus.contoso.com:8531/content?x=1"),
    ("PATCHWRIGHT_WSUS_SERVER", "https://wsus'; calc"),
    ("PATCHWRIGHT_OPT_IN", "readd-machines"),
    ("PATCHWRIGHT_OPT_IN", "*"),
    # Nothing to switch on: one acts anyway, the other never.
    ("PATCHWRIGHT_OPT_IN", "register-automation-provider"),
    ("PATCHWRIGHT_OPT_IN", "readd-machine, advise-job-limit"),
    ("SWEEP_SCHEDULE", "0 2 * * *"),
    ("SWEEP_SCHEDULE", "nightly"),
    ("SWEEP_SCHEDULE", "0 0 2 * * $(x)"),
    ("PATCHWRIGHT_MAX_MACHINES", "many"),
    ("PATCHWRIGHT_MAX_MACHINES", "-1"),
    ("PATCHWRIGHT_MAX_MACHINES", "1.5"),
    ("PATCHWRIGHT_MAX_MACHINES", "100001"),
    ("PATCHWRIGHT_MAX_MACHINES", "9" * 5000),
    ("PATCHWRIGHT_MAX_MACHINES", "\N{ARABIC-INDIC DIGIT FIVE}"),
    ("PATCHWRIGHT_MAX_PERCENT", "101"),
    ("PATCHWRIGHT_MAX_IMPACT", "huge"),
    ("PATCHWRIGHT_LARGEST_WAVE", "0"),
    ("PATCHWRIGHT_ERROR_BUDGET", "-1"),
    ("PATCHWRIGHT_ATTEMPTS", "0"),
    ("PATCHWRIGHT_ATTEMPTS_WITHIN", "PT0S"),
    ("PATCHWRIGHT_INEFFECTIVE_WITHIN", "PT0S"),
    ("PATCHWRIGHT_INEFFECTIVE_WITHIN", "P91D"),
    ("PATCHWRIGHT_STORM_PERCENT", "101"),
    ("PATCHWRIGHT_STORM_COOL_DOWN", "P31D"),
    ("PATCHWRIGHT_CHANGE_WINDOWS", "mon-fri 22:00-04:00"),
    ("PATCHWRIGHT_CHANGE_WINDOWS", "mon-fri 22:00-04:00 Europe/Atlantis"),
    ("PATCHWRIGHT_FREEZES", "2026-12-18"),
    ("PATCHWRIGHT_FREEZES", "2026-12-18/2026-12-01 UTC"),
    ("PATCHWRIGHT_FACTS_MAX_AGE", "PT0S"),
    ("PATCHWRIGHT_LOG_MAX_LAG", "P2D"),
    ("PATCHWRIGHT_COOL_DOWN", "24h"),
    ("PATCHWRIGHT_APPROVAL_EXPIRY", "PT1M"),
    ("PATCHWRIGHT_APPROVAL_EXPIRY", "P8D"),
    ("PATCHWRIGHT_COOL_DOWN", "P31D"),
    ("PATCHWRIGHT_NEXT_RUN_MARGIN", "PT9M59S"),
    ("PATCHWRIGHT_MAX_WINDOW", "PT6H1M"),
    ("PATCHWRIGHT_MAX_WINDOW", "PT29M"),
    ("PATCHWRIGHT_LOOKBACK", "PT1H"),
    ("PATCHWRIGHT_READER_CLIENT_ID", "me"),
    ("PATCHWRIGHT_WRITER_CLIENT_ID", "{" + SUBSCRIPTION + "}"),
    ("PATCHWRIGHT_DRY_RUN", "false"),
    ("PATCHWRIGHT_MAX_MACHINE", "5"),
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=[f"{name}={value[:40]}" for name, value in WRONG])
def test_a_wrong_setting_is_one_problem_that_begins_with_its_name(name: str, value: str) -> None:
    (problem,) = problems(**{name: value})

    assert problem.startswith(f"{name}: ")
    assert len(problem) < 400


def test_all_problems_are_told_at_once() -> None:
    found = problems(
        DRY_RUN="maybe", PATCHWRIGHT_MODES='{"x": "act", "*": "y"}', PATCHWRIGHT_CLOUD="moon", PATCHWRIGHT_X=""
    )

    assert sorted(problem.split(":")[0] for problem in found) == [
        "DRY_RUN",
        "PATCHWRIGHT_CLOUD",
        "PATCHWRIGHT_MODES",
        "PATCHWRIGHT_MODES",
        "PATCHWRIGHT_X",
    ]


def test_nothing_at_all_is_told_at_once_too() -> None:
    with pytest.raises(InvalidSettings) as raised:
        Settings.from_env({})

    assert [problem.split(":")[0] for problem in raised.value.problems] == list(LEAST)
    assert all(name in str(raised.value) for name in LEAST)


def test_nobody_is_looked_into_unless_it_is_said() -> None:
    asked = read(
        PATCHWRIGHT_PROBE="Suspects",
        PATCHWRIGHT_MAX_PROBES="3",
        PATCHWRIGHT_PROBER_CLIENT_ID="AAAAAAAA-2222-4333-8444-555555555555",
    )

    assert (read().probe, read().max_probes, read().prober_client_id) == ("never", 20, "")
    assert (asked.probe, asked.max_probes) == ("suspects", 3)
    assert asked.prober_client_id == "aaaaaaaa-2222-4333-8444-555555555555"
    assert problems(PATCHWRIGHT_PROBE="all") == ("PATCHWRIGHT_PROBE: must be never or suspects, is 'all'",)
    assert problems(PATCHWRIGHT_MAX_PROBES="-1")[0].startswith("PATCHWRIGHT_MAX_PROBES: ")
    assert problems(PATCHWRIGHT_PROBER_CLIENT_ID="me")[0].startswith("PATCHWRIGHT_PROBER_CLIENT_ID: ")


def test_settings_of_others_are_nobody_s_problem() -> None:
    assert read(PATH="/bin", FUNCTIONS_WORKER_RUNTIME="python", WEBSITE_SITE_NAME="app") == read()


@pytest.mark.parametrize(
    "name", ["DRY_RUN", "SWEEP_SCHEDULE", "PATCHWRIGHT_MODES", "PATCHWRIGHT_CLOUD", "PATCHWRIGHT_LEDGER"]
)
def test_an_empty_setting_is_as_good_as_none(name: str) -> None:
    """Azure shows app settings that were cleared as empty ones."""
    assert read(**{name: "  "}) == read()


@pytest.mark.parametrize("order", [("*", "cloned-machine"), ("cloned-machine", "*")])
def test_a_state_s_own_mode_wins_over_the_star_wherever_it_stands(order: tuple[str, str]) -> None:
    modes = {"*": "act", "cloned-machine": "observe"}
    settings = read(PATCHWRIGHT_MODES=json.dumps({name: modes[name] for name in order}))

    assert settings.mode(FailureState.CLONED_MACHINE) is Mode.OBSERVE
    assert settings.mode(FailureState.SOURCE_ID_CHANGED) is Mode.ACT


def test_a_wsus_server_is_named_with_its_port_and_without_a_path() -> None:
    assert read(PATCHWRIGHT_WSUS_SERVER="https://WSUS.contoso.com:8531/").wsus_server == "https://wsus.contoso.com:8531"
    assert read().wsus_server == ""


def test_remediations_that_cost_something_are_named_one_by_one() -> None:
    settings = read(PATCHWRIGHT_OPT_IN="readd-machine, reset-worker-key")

    assert settings.opt_in == {"readd-machine", "reset-worker-key"}
    assert read().opt_in == frozenset()


NAMES = [
    *LEAST,
    "DRY_RUN",
    "SWEEP_SCHEDULE",
    "PATCHWRIGHT_CLOUD",
    "PATCHWRIGHT_LOOKBACK",
    "PATCHWRIGHT_MAX_IMPACT",
    "PATCHWRIGHT_LARGEST_WAVE",
    "PATCHWRIGHT_ERROR_BUDGET",
    "PATCHWRIGHT_ATTEMPTS",
    "PATCHWRIGHT_ATTEMPTS_WITHIN",
    "PATCHWRIGHT_INEFFECTIVE_WITHIN",
    "PATCHWRIGHT_OWNER",
    "PATCHWRIGHT_OWNER_TAG",
    "PATCHWRIGHT_STORM_PERCENT",
    "PATCHWRIGHT_STORM_COOL_DOWN",
    "PATCHWRIGHT_CHANGE_WINDOWS",
    "PATCHWRIGHT_FREEZES",
    "PATCHWRIGHT_FACTS_MAX_AGE",
    "PATCHWRIGHT_LOG_MAX_LAG",
    "PATCHWRIGHT_MAX_MACHINES",
    "PATCHWRIGHT_MODES",
    "PATCHWRIGHT_OPT_IN",
]


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=30)))
def test_whatever_stands_there_is_settings_or_a_list_of_problems(env: dict[str, str]) -> None:
    """And never an app that acts because it could not read what it was told."""
    found: tuple[str, ...] = ()
    settings: Settings | None = None
    try:
        settings = Settings.from_env({**LEAST, **env})
    except InvalidSettings as error:
        found = error.problems

    assert (settings is None) is bool(found)
    assert settings is None or settings.dry_run or env["DRY_RUN"].strip().lower() == "false"
