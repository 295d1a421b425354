"""The settings, read once at start from the environment; every problem is reported at once, by name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal

from model.calendars import ChangeWindow, Freeze, parse_freezes, parse_windows
from model.resource_ids import InvalidResourceId, ResourceId
from model.states import ActionClass, FailureState, Impact, Mode
from model.times import parse_duration
from remediations import action_classes

PREFIX: Final = "PATCHWRIGHT_"
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_SERVER = re.compile(r"https?://[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,10}(?::[1-9]\d{0,4})?", re.ASCII)
_LOOPBACK: Final = re.compile(r"http://(?:127\.0\.0\.1|localhost|\[::1\])(?::[1-9]\d{0,4})?/?", re.ASCII)
_CLOUDS: Final = frozenset({"public", "usgovernment", "china"})


class InvalidSettings(Exception):
    """One or more settings are wrong; `problems` has a line for each, beginning with the setting's name."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("settings: " + "; ".join(problems))
        self.problems = problems


# Not slotted: the reader takes each default from the class attribute that slots would hide.
@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that can be set. The defaults only look."""

    dry_run: bool = True
    """`DRY_RUN`: a lock for the whole app; while it is set nothing can be applied, whoever asks."""
    subscriptions: tuple[str, ...]
    """`PATCHWRIGHT_SUBSCRIPTIONS`: GUIDs; nothing outside them is ever changed."""
    account: str
    """`PATCHWRIGHT_AUTOMATION_ACCOUNTS`: resource id of the Automation account (one, in this version)."""
    workspace: str
    """`PATCHWRIGHT_WORKSPACES`: resource id of the Log Analytics workspace (one, in this version)."""
    cloud: str = "public"
    """`PATCHWRIGHT_CLOUD`: `public`, `usgovernment`, `china`, or the simulated Azure's address on loopback."""
    modes: Mapping[FailureState, Mode] = field(default_factory=dict)
    """`PATCHWRIGHT_MODES`: JSON object, failure state (or `*`) to `off`, `observe`, `ask` or `act`."""
    opt_in: frozenset[str] = frozenset()
    """`PATCHWRIGHT_OPT_IN`: ids of remediations of the class `opt` that sweeps may apply of their own accord, where
    the mode is `act`; without it they wait for a person who applies the plan."""
    sweep_schedule: str = "0 0 2 * * *"
    """`SWEEP_SCHEDULE`: NCRONTAB with seconds, UTC."""
    exclude_tag: str = "patchwright-exclude"
    """`PATCHWRIGHT_EXCLUDE_TAG`: a machine that carries this tag, or whose resource group or subscription does, with
    any value but `false`, is never touched."""
    max_impact: Impact = Impact.REVERSIBLE
    """`PATCHWRIGHT_MAX_IMPACT`: the most that sweeps do of their own accord: `read-only`, `additive`, `reversible` or
    `disruptive`. More needs a person who applies the plan, or `PATCHWRIGHT_OPT_IN`."""
    max_machines: int = 5
    """`PATCHWRIGHT_MAX_MACHINES`: most machines that one run may touch; a deployment counts as what it reaches."""
    max_percent: int = 10
    """`PATCHWRIGHT_MAX_PERCENT`: the same as a share of the machines in scope, rounded down but never to none; the
    smaller of the two holds."""
    largest_wave: int = 16
    """`PATCHWRIGHT_LARGEST_WAVE`: treatments go one first, then two, four and so on, and never more at a time."""
    error_budget: int = 3
    """`PATCHWRIGHT_ERROR_BUDGET`: a run begins nothing more once as many of its treatments failed, or may
    still fail."""
    cool_down: timedelta = timedelta(hours=1)
    """`PATCHWRIGHT_COOL_DOWN`: ISO 8601; a remediation that was tried on a target is not tried there by another run for
    as long."""
    attempts: int = 2
    """`PATCHWRIGHT_ATTEMPTS`: how often a remediation is tried on a target before the next one takes its turn."""
    attempts_within: timedelta = timedelta(hours=24)
    """`PATCHWRIGHT_ATTEMPTS_WITHIN`: ISO 8601; how long an attempt counts."""
    ineffective_within: timedelta = timedelta(days=7)
    """`PATCHWRIGHT_INEFFECTIVE_WITHIN`: ISO 8601; how long an attempt counts, and the next remediation takes its turn,
    where it was applied and its verification found that it did not help; and for as long again as that took."""
    owner: str = ""
    """`PATCHWRIGHT_OWNER`: who is told of what no remediation helps against, where no tag names an owner."""
    owner_tag: str = "owner"
    """`PATCHWRIGHT_OWNER_TAG`: a tag that names the owner of a machine, a resource group or a subscription."""
    storm_percent: int = 20
    """`PATCHWRIGHT_STORM_PERCENT`: while more of the machines than this are unhealthy nothing is touched."""
    storm_cool_down: timedelta = timedelta(hours=4)
    """`PATCHWRIGHT_STORM_COOL_DOWN`: ISO 8601; how long after such a storm nothing is touched yet."""
    change_windows: tuple[ChangeWindow, ...] = ()
    """`PATCHWRIGHT_CHANGE_WINDOWS`: when treatments may begin, such as `mon-fri 22:00-04:00 Europe/Amsterdam`, with
    semicolons between several; empty: always."""
    freezes: tuple[Freeze, ...] = ()
    """`PATCHWRIGHT_FREEZES`: when none may, such as `2026-12-18/2027-01-03 Europe/Amsterdam`, with semicolons between
    several; a day without a time is frozen to its end."""
    facts_max_age: timedelta = timedelta(hours=1)
    """`PATCHWRIGHT_FACTS_MAX_AGE`: ISO 8601; nothing is begun on facts that are older."""
    log_max_lag: timedelta = timedelta(hours=1)
    """`PATCHWRIGHT_LOG_MAX_LAG`: ISO 8601; where the newest heartbeat of all is older, no machine is treated for what
    the logs say."""
    approval_expiry: timedelta = timedelta(hours=24)
    """`PATCHWRIGHT_APPROVAL_EXPIRY`: ISO 8601; a treatment that waits for a person's approval is held after this."""
    next_run_margin: timedelta = timedelta(minutes=15)
    """`PATCHWRIGHT_NEXT_RUN_MARGIN`: no deployment is edited when its next run is nearer than this."""
    max_window: timedelta = timedelta(hours=6)
    """`PATCHWRIGHT_MAX_WINDOW`: no maintenance window is made longer; Azure's own maximum is PT6H."""
    lookback: timedelta = timedelta(days=35)
    """`PATCHWRIGHT_LOOKBACK`: how far back runs are read; a monthly deployment needs more than 31 days."""
    probe: Literal["never", "suspects"] = "never"
    """`PATCHWRIGHT_PROBE`: `suspects` sends a script that only looks into suspected machines, in dry runs, too."""
    max_probes: int = 20
    """`PATCHWRIGHT_MAX_PROBES`: most machines that one run may look into."""
    prober_client_id: str = ""
    """`PATCHWRIGHT_PROBER_CLIENT_ID`: client id of the managed identity that looks into machines; empty: the
    writer's."""
    start_tag: str = "patchwright-start"
    """`PATCHWRIGHT_START_TAG`: a stopped VM that carries this tag, with any value but `false`, may be started for its
    next run."""
    quota_step_gb: float = 1
    """`PATCHWRIGHT_QUOTA_STEP_GB`: by how much a workspace's daily cap is raised at a time."""
    quota_ceiling_gb: float = 5
    """`PATCHWRIGHT_QUOTA_CEILING_GB`: no daily cap is raised above this; each gigabyte is paid for, day by day."""
    wsus_server: str = ""
    """`PATCHWRIGHT_WSUS_SERVER`: address of the WSUS server (`https://wsus.contoso.com:8531`) that clients outside of a
    domain should name; empty: none is ever set."""
    job_limit: int = 50
    """`PATCHWRIGHT_JOB_LIMIT`: concurrent jobs of the account: 50 with an enterprise agreement or CSP, 10
    pay-as-you-go, 5 free, 200 in government clouds."""
    # A connection string holds a key.
    ledger: str = field(default="", repr=False)
    """`PATCHWRIGHT_LEDGER`: `sqlite:PATH`, or a Table service address or connection string; empty: the default of
    where the app runs (`AzureWebJobsStorage` in Functions, `sqlite:.patchwright/ledger.sqlite` on the command line)."""
    reader_client_id: str = ""
    """`PATCHWRIGHT_READER_CLIENT_ID`: client id of the managed identity that reads."""
    writer_client_id: str = ""
    """`PATCHWRIGHT_WRITER_CLIENT_ID`: client id of the managed identity that the one door for writes uses."""

    def mode(self, state: FailureState) -> Mode:
        """How far to go for a state; `observe` unless set."""
        return self.modes.get(state, Mode.OBSERVE)

    @property
    def simulated(self) -> bool:
        """True where the endpoints are the simulated Azure's."""
        return self.cloud not in _CLOUDS

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Read and check all settings.

        Raises:
            InvalidSettings: with every problem found, so that one deployment mends them all.
        """
        reader = _Reader(env)
        settings = cls(
            dry_run=reader.flag("DRY_RUN", default=True),
            subscriptions=reader.subscriptions(),
            account=reader.resource("AUTOMATION_ACCOUNTS", "Microsoft.Automation/automationAccounts"),
            workspace=reader.resource("WORKSPACES", "Microsoft.OperationalInsights/workspaces"),
            cloud=reader.cloud(),
            modes=reader.modes(),
            opt_in=reader.opt_in(),
            sweep_schedule=reader.schedule(cls.sweep_schedule),
            exclude_tag=reader.text("EXCLUDE_TAG", cls.exclude_tag),
            max_machines=reader.number("MAX_MACHINES", cls.max_machines, 0, 100_000),
            max_percent=reader.number("MAX_PERCENT", cls.max_percent, 0, 100),
            max_impact=reader.impact(cls.max_impact),
            largest_wave=reader.number("LARGEST_WAVE", cls.largest_wave, 1, 1_000),
            error_budget=reader.number("ERROR_BUDGET", cls.error_budget, 0, 1_000),
            cool_down=reader.duration("COOL_DOWN", cls.cool_down, timedelta(0), timedelta(days=30)),
            attempts=reader.number("ATTEMPTS", cls.attempts, 1, 10),
            attempts_within=reader.duration(
                "ATTEMPTS_WITHIN", cls.attempts_within, timedelta(minutes=1), timedelta(days=30)
            ),
            ineffective_within=reader.duration(
                "INEFFECTIVE_WITHIN", cls.ineffective_within, timedelta(minutes=1), timedelta(days=90)
            ),
            owner=reader.text("OWNER", cls.owner),
            owner_tag=reader.text("OWNER_TAG", cls.owner_tag),
            storm_percent=reader.number("STORM_PERCENT", cls.storm_percent, 0, 100),
            storm_cool_down=reader.duration("STORM_COOL_DOWN", cls.storm_cool_down, timedelta(0), timedelta(days=30)),
            change_windows=reader.parsed("CHANGE_WINDOWS", parse_windows),
            freezes=reader.parsed("FREEZES", parse_freezes),
            facts_max_age=reader.duration("FACTS_MAX_AGE", cls.facts_max_age, timedelta(minutes=1), timedelta(days=1)),
            log_max_lag=reader.duration("LOG_MAX_LAG", cls.log_max_lag, timedelta(minutes=5), timedelta(days=1)),
            approval_expiry=reader.duration(
                "APPROVAL_EXPIRY", cls.approval_expiry, timedelta(minutes=5), timedelta(days=7)
            ),
            next_run_margin=reader.duration(
                "NEXT_RUN_MARGIN", cls.next_run_margin, timedelta(minutes=10), timedelta(days=1)
            ),
            max_window=reader.duration("MAX_WINDOW", cls.max_window, timedelta(minutes=30), timedelta(hours=6)),
            lookback=reader.duration("LOOKBACK", cls.lookback, timedelta(days=1), timedelta(days=90)),
            probe=reader.probe(),
            max_probes=reader.number("MAX_PROBES", cls.max_probes, 0, 1_000),
            prober_client_id=reader.guid("PROBER_CLIENT_ID"),
            start_tag=reader.text("START_TAG", cls.start_tag),
            quota_step_gb=reader.gigabytes("QUOTA_STEP_GB", cls.quota_step_gb, 0.1),
            quota_ceiling_gb=reader.gigabytes("QUOTA_CEILING_GB", cls.quota_ceiling_gb, 0),
            wsus_server=reader.server("WSUS_SERVER"),
            job_limit=reader.number("JOB_LIMIT", cls.job_limit, 1, 100_000),
            ledger=reader.text("LEDGER", ""),
            reader_client_id=reader.guid("READER_CLIENT_ID"),
            writer_client_id=reader.guid("WRITER_CLIENT_ID"),
        )
        if reader.problems:
            raise InvalidSettings(tuple(reader.problems))
        return settings


_KNOWN: Final = frozenset(
    f"{PREFIX}{name}"
    for name in [
        "SUBSCRIPTIONS",
        "AUTOMATION_ACCOUNTS",
        "WORKSPACES",
        "CLOUD",
        "MODES",
        "OPT_IN",
        "EXCLUDE_TAG",
        "MAX_MACHINES",
        "MAX_PERCENT",
        "MAX_IMPACT",
        "LARGEST_WAVE",
        "ERROR_BUDGET",
        "COOL_DOWN",
        "ATTEMPTS",
        "ATTEMPTS_WITHIN",
        "INEFFECTIVE_WITHIN",
        "OWNER",
        "OWNER_TAG",
        "STORM_PERCENT",
        "STORM_COOL_DOWN",
        "CHANGE_WINDOWS",
        "FREEZES",
        "FACTS_MAX_AGE",
        "LOG_MAX_LAG",
        "APPROVAL_EXPIRY",
        "NEXT_RUN_MARGIN",
        "MAX_WINDOW",
        "LOOKBACK",
        "PROBE",
        "MAX_PROBES",
        "PROBER_CLIENT_ID",
        "START_TAG",
        "WSUS_SERVER",
        "JOB_LIMIT",
        "QUOTA_STEP_GB",
        "QUOTA_CEILING_GB",
        "LEDGER",
        "READER_CLIENT_ID",
        "WRITER_CLIENT_ID",
    ]
)


class _Reader:
    """Reads one setting after another and collects what is wrong with them."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.problems: list[str] = [
            f"{name}: there is no such setting"
            for name in sorted(env)
            if name.startswith(PREFIX) and name not in _KNOWN
        ]

    def text(self, name: str, default: str) -> str:
        return self.env.get(PREFIX + name, "").strip() or default

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.env.get(name, "").strip().lower()
        if value in {"", "true", "false"}:
            return default if not value else value == "true"
        # An unreadable lock stays locked.
        self.problems.append(f"{name}: must be true or false, is {value[:40]!r}")
        return True

    def listed(self, name: str) -> list[str]:
        return [item for item in re.split(r"[,;\s]+", self.env.get(PREFIX + name, "")) if item]

    def subscriptions(self) -> tuple[str, ...]:
        values = [value.lower() for value in self.listed("SUBSCRIPTIONS")]
        if not values:
            self.problems.append(f"{PREFIX}SUBSCRIPTIONS: is missing")
        self.problems += [
            f"{PREFIX}SUBSCRIPTIONS: {value[:60]!r} is not a subscription GUID"
            for value in values
            if not _GUID.fullmatch(value)
        ]
        return tuple(dict.fromkeys(values))

    def resource(self, name: str, resource_type: str) -> str:
        values = self.listed(name)
        if len(values) != 1:
            self.problems.append(f"{PREFIX}{name}: needs one resource id, has {len(values)}")
            return ""
        try:
            if ResourceId.parse(values[0]).is_type(resource_type):
                return values[0]
        except InvalidResourceId:
            pass
        self.problems.append(f"{PREFIX}{name}: {values[0][:200]!r} is not the resource id of a {resource_type}")
        return ""

    def cloud(self) -> str:
        value = self.text("CLOUD", "public")
        # A custom endpoint is sent no credential, and only loopback is accepted: anything else is a mistake.
        on_loopback = _LOOPBACK.fullmatch(value) is not None
        if value.lower() not in _CLOUDS and not on_loopback:
            self.problems.append(
                f"{PREFIX}CLOUD: must be public, usgovernment, china or http://127.0.0.1:PORT, is {value[:60]!r}"
            )
        return value.rstrip("/") if on_loopback else value.lower()

    def modes(self) -> dict[FailureState, Mode]:
        name, text = f"{PREFIX}MODES", self.env.get(f"{PREFIX}MODES", "").strip()
        if not text:
            return {}
        try:
            given = json.loads(text)
        except ValueError as error:
            self.problems.append(f"{name}: is not JSON: {error}")
            return {}
        if not isinstance(given, dict):
            self.problems.append(f"{name}: must be a JSON object of failure states and modes")
            return {}
        modes: dict[FailureState, Mode] = {}
        known, allowed = {state.value for state in FailureState}, {mode.value for mode in Mode}
        # `*` first, so that a state's own entry wins wherever it stands.
        for state, mode in sorted(given.items(), key=lambda item: item[0] != "*"):
            if state != "*" and state not in known:
                self.problems.append(f"{name}: there is no failure state {state[:60]!r}")
            elif not isinstance(mode, str) or mode not in allowed:
                self.problems.append(f"{name}: {state} must be one of {', '.join(sorted(allowed))}, is {mode!r:.60}")
            else:
                chosen = FailureState if state == "*" else (FailureState(state),)
                modes |= dict.fromkeys(chosen, Mode(mode))
        return modes

    def probe(self) -> Literal["never", "suspects"]:
        value = self.text("PROBE", "never").lower()
        if value == "suspects":
            return "suspects"
        if value != "never":
            self.problems.append(f"{PREFIX}PROBE: must be never or suspects, is {value[:40]!r}")
        return "never"

    def server(self, name: str) -> str:
        value = self.text(name, "").rstrip("/").lower()
        if value and not _SERVER.fullmatch(value):
            self.problems.append(f"{PREFIX}{name}: must be https://HOST:PORT or http://HOST:PORT, is {value[:60]!r}")
            return ""
        return value

    def opt_in(self) -> frozenset[str]:
        wanted, classes = frozenset(self.listed("OPT_IN")), action_classes()
        optional = {id_ for id_, one in classes.items() if one is ActionClass.OPT}
        self.problems += [
            f"{PREFIX}OPT_IN: {id_[:60]!r} "
            + ("needs no opting in" if id_ in classes else "is not a remediation that `patchwright states` lists")
            for id_ in sorted(wanted - optional)
        ]
        return wanted & optional

    def schedule(self, default: str) -> str:
        value = self.env.get("SWEEP_SCHEDULE", "").strip() or default
        if len(value.split()) != 6 or not re.fullmatch(r"[0-9A-Za-z*/,\- ]+", value):
            self.problems.append(f"SWEEP_SCHEDULE: must be NCRONTAB with six fields, is {value[:60]!r}")
        return value

    def number(self, name: str, default: int, least: int, most: int) -> int:
        value = self.text(name, str(default))
        if value.isascii() and value.isdigit() and len(value) < 10 and least <= int(value) <= most:
            return int(value)
        self.problems.append(f"{PREFIX}{name}: must be a whole number from {least} to {most}, is {value[:40]!r}")
        return default

    def gigabytes(self, name: str, default: float, least: float) -> float:
        value = self.text(name, f"{default:g}")
        if re.fullmatch(r"\d{1,4}(?:\.\d{1,3})?", value, re.ASCII) and float(value) >= least:
            return float(value)
        self.problems.append(f"{PREFIX}{name}: must be gigabytes from {least:g} to 9999, is {value[:40]!r}")
        return default

    def duration(self, name: str, default: timedelta, least: timedelta, most: timedelta) -> timedelta:
        text = self.env.get(PREFIX + name, "").strip()
        value = parse_duration(text) if text else default
        if value is not None and least <= value <= most:
            return value
        self.problems.append(f"{PREFIX}{name}: must be an ISO 8601 duration from {least} to {most}, is {text[:40]!r}")
        return default

    def impact(self, default: Impact) -> Impact:
        value = self.text("MAX_IMPACT", default.value).lower()
        if value in {impact.value for impact in Impact}:
            return Impact(value)
        allowed = ", ".join(impact.value for impact in Impact)
        self.problems.append(f"{PREFIX}MAX_IMPACT: must be one of {allowed}, is {value[:40]!r}")
        return default

    def parsed[T](self, name: str, parse: Callable[[str], tuple[T, ...]]) -> tuple[T, ...]:
        try:
            return parse(self.text(name, ""))
        except ValueError as error:
            self.problems.append(f"{PREFIX}{name}: {error}")
            return ()

    def guid(self, name: str) -> str:
        value = self.text(name, "").lower()
        if value and not _GUID.fullmatch(value):
            self.problems.append(f"{PREFIX}{name}: {value[:60]!r} is not a client id")
        return value
