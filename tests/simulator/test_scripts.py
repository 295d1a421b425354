"""The simulated guests know the real scripts: the same names, parameters, outcomes, reasons and records."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from simulator import linux_scripts, windows_agent, windows_call, windows_scripts
from simulator.guests import File, Guest, WorkerKey, sha256_of
from simulator.outcomes import Effects, ScriptResult
from simulator.scripts import run_script
from simulator.windows import (
    AGENT_CACHE,
    AU,
    MACHINE_KEYS,
    RSA,
    STORES,
    TLS12_CLIENT,
    WINDOWS_UPDATE,
    AccessList,
    Entry,
    Service,
    Windows,
)

FOLDER = Path(__file__).parents[2] / "remediations" / "scripts"
# The diagnosis changes nothing in a guest and ends otherwise: tests/remediations/test_diagnose_*.py.
REAL = {
    system: {file.stem: file.read_text("utf-8") for file in sorted((FOLDER / system).glob(f"*.{ending}"))}
    for system, ending in (("windows", "ps1"), ("linux", "sh"))
}
for scripts in REAL.values():
    del scripts["diagnose"]
WINDOWS, LINUX = REAL["windows"], REAL["linux"]
STEP, OTHER = "0123456789abcdef", "f" * 64
NOW = datetime(2026, 3, 10, 6, 0, tzinfo=UTC)
SERVER = "https://wsus.contoso.com:8531"
GOOD = {
    "ServerHex": SERVER.encode().hex(),
    "StepId": STEP,
    "Sha256": OTHER,
    "ParentSha256": OTHER,
    "KeysSha256": OTHER,
    "Target": "auto",
}
PATTERN = re.compile(r"\[ValidatePattern\('\^(.+?)\$'\)\]\[string\]\$(\w+)")


def a_guest(*, key: bool = True, user_group: str = "", os: str = "Windows") -> Guest:
    held = WorkerKey(source_computer_id="11111111-0000-4000-8000-000000000001", user_group=user_group)
    return Guest(agent="/vm", os=os, key=held if key else None)


def run(text: str, guest: Guest, now: datetime = NOW, /, **parameters: str) -> ScriptResult:
    return run_script(
        text,
        guest,
        {name.lower(): value for name, value in parameters.items()},
        Effects(restarted=lambda _: None, now=lambda: now),
    )


def said(result: ScriptResult) -> Any:
    last = result.stdout.rstrip("\n").rpartition("\n")[2]
    return json.loads(last.removeprefix("patchwright-outcome: "))


def parameters_of(name: str) -> dict[str, str]:
    """Good values of what the real script takes."""
    return {parameter: GOOD[parameter] for _, parameter in PATTERN.findall(WINDOWS[name])}


def done(guest: Guest, name: str, **parameters: str) -> Any:
    """What the script says, which ends well."""
    result = run(WINDOWS[name], guest, **{**parameters_of(name), **parameters})
    assert result.exit_code == 0, result
    return said(result)


def test_every_script_that_changes_a_machine_has_a_behaviour_and_every_behaviour_a_script() -> None:
    assert windows_scripts.SCRIPTS.keys() == WINDOWS.keys()
    assert linux_scripts.SCRIPTS.keys() == LINUX.keys()


def test_every_script_is_one_that_a_remediation_sends_and_every_one_that_is_sent_is_there() -> None:
    source = "\n".join(file.read_text("utf-8") for file in FOLDER.parent.glob("*.py"))
    source += (FOLDER.parents[1] / "adapters" / "prober.py").read_text("utf-8")
    named = {name for name in WINDOWS if re.search(rf'"(?:windows/)?{name}(?:\.ps1)?"', source)}
    assert named == WINDOWS.keys()
    # The repairs of package managers are named after their remediation.
    assert 'f"linux/{repair.remediation}.sh"' in source
    repairs = set(re.findall(r'remediation="([a-z-]+)"', source))
    assert {name for name in LINUX if f'"linux/{name}.sh"' in source} | (repairs & LINUX.keys()) == LINUX.keys()
    assert set(re.findall(r'"(?:windows|linux)/([a-z0-9-]+)\.(?:ps1|sh)"', source)) <= {*WINDOWS, *LINUX, "diagnose"}


@pytest.mark.parametrize("name", WINDOWS)
def test_a_windows_script_names_itself_in_its_first_line(name: str) -> None:
    assert WINDOWS[name].splitlines()[0] == f"# patchwright-script: {name}"


@pytest.mark.parametrize("name", WINDOWS)
def test_the_simulated_script_takes_the_parameters_of_the_real_one_in_their_form(name: str) -> None:
    simulated = windows_scripts.SCRIPTS[name].parameters
    real = {
        parameter: re.sub(r"^\(([^()]*)\)$", r"\1", pattern) for pattern, parameter in PATTERN.findall(WINDOWS[name])
    }
    assert simulated == real
    good = parameters_of(name)
    for parameter in good:
        for bad in ("", good[parameter][:-1], good[parameter] + "0", "$(calc)"):
            result = run(WINDOWS[name], a_guest(), **{**good, parameter: bad})
            assert (result.exit_code, result.stdout) == (1, "")
            assert parameter in result.stderr


def test_a_parameter_that_the_script_does_not_have_is_an_error() -> None:
    result = run(WINDOWS["rescan-updates"], a_guest(), StepId=STEP)
    assert (result.exit_code, result.stdout) == (1, "")


def test_another_script_or_system_fails_loudly() -> None:
    for text, guest in (
        ("Remove-Item C:\\ -Recurse", a_guest()),
        ("# patchwright-script: unheard-of", a_guest()),
        (WINDOWS["reset-worker-key"], a_guest(os="Linux")),
        (LINUX["refresh-metadata"], a_guest()),
        # Both systems have one of this name.
        (WINDOWS["restart-agent"], a_guest(os="Linux")),
    ):
        result = run(text, guest, StepId=STEP)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "cannot run" in result.stderr


# What can be so in a guest, by the reason for which the script refuses then.
type Prepared = Callable[[Guest], dict[str, str] | None]


def gives(change: Callable[[Windows], object]) -> Prepared:
    def prepare(guest: Guest) -> None:
        change(guest.windows)

    return prepare


def after(name: str, ending: str = "", text: str = "", **parameters: str) -> Prepared:
    """After another script ran; its record was edited since, where a text is given."""

    def prepare(guest: Guest) -> dict[str, str]:
        injured(guest, name)
        outcome = done(guest, name, **parameters)
        if text:
            guest.files[f"{windows_call.FOLDER}{STEP}{ending}".lower()] = File(text=text, written=NOW)
            outcome = {"sha256": hashlib.sha256(text.encode()).hexdigest()}
        return {key[0].upper() + key[1:]: value for key, value in outcome.items() if key.lower().endswith("sha256")}

    return prepare


def injured(guest: Guest, name: str = "") -> None:
    """What the script repairs."""
    if name == "grant-update-store":
        # Windows Update does not scan then.
        guest.windows.lacks_store_rights()
    if name == "free-update-cache":
        guest.windows.free_bytes, guest.windows.downloaded_bytes = 2**20, 2**32
    if name == "enable-agent":
        guest.agent_start, guest.running = "Disabled", False
    guest.windows.refuses_tls12()
    guest.windows.lacks_rights()
    guest.windows.registry.set(AU, "UseWUServer", 1)
    guest.windows.registry.set(WINDOWS_UPDATE, "WUServer", "http://wsus-old.contoso.com:8530", "String")


def changed_since(name: str) -> Prepared:
    def prepare(guest: Guest) -> dict[str, str]:
        after(name)(guest)
        return {"Sha256": OTHER, "ParentSha256": OTHER, "KeysSha256": OTHER}

    return prepare


def no_agent(start: str) -> Prepared:
    def prepare(guest: Guest) -> None:
        guest.agent_start = start

    return prepare


def without_key(guest: Guest) -> None:
    guest.key = None


def user_worker(guest: Guest) -> None:
    guest.key = WorkerKey(source_computer_id="x", user_group="Batch")


def disabled_again_twice(guest: Guest) -> None:
    for _ in range(2):
        guest.windows.set_service("wuauserv", start="Disabled", running=False)
        done(guest, "start-update-service")
    guest.windows.set_service("wuauserv", start="Disabled", running=False)


def agent_disabled_again_twice(guest: Guest) -> None:
    for _ in range(2):
        guest.agent_start, guest.running = "Disabled", False
        done(guest, "enable-agent")
    guest.agent_start, guest.running = "Disabled", False


def full_while_installing(windows: Windows) -> None:
    windows.free_bytes, windows.downloaded_bytes, windows.installing = 0, 2**30, True


def installing_after_a_reset(guest: Guest) -> dict[str, str] | None:
    parameters = after("reset-update-store")(guest)
    guest.windows.installing = True
    return parameters


def edited(name: str, text: str) -> Prepared:
    return after(name, ".json", text)


DISABLED = Service(start="Disabled", running=False)
JOINED, MANAGED = gives(lambda w: setattr(w, "domain_joined", True)), gives(
    lambda w: setattr(w, "configuration_manager", True)
)  # fmt: skip
INSTALLING = gives(lambda w: setattr(w, "installing", True))
UNTOUCHED = gives(lambda _: None)
REFUSALS: dict[str, dict[str, Prepared]] = {
    "clear-agent-cache": {
        "agent-not-installed": no_agent(""),
        "agent-disabled": no_agent("Disabled"),
        "no-cache": gives(lambda w: w.folders.pop(AGENT_CACHE)),
    },
    "enable-agent": {
        "agent-not-installed": no_agent(""),
        "not-disabled": UNTOUCHED,
        "disabled-again-twice": agent_disabled_again_twice,
    },
    "enable-tls12": {
        "already-on": lambda guest: done_tls(guest.windows),
        "not-a-number": gives(lambda w: w.registry.set(TLS12_CLIENT, "Enabled", "1", "String")),
    },
    "free-update-cache": {
        "space-is-there": UNTOUCHED,
        "nothing-downloaded": gives(lambda w: setattr(w, "free_bytes", 2**30 - 1)),
        "installation-under-way": gives(full_while_installing),
    },
    "grant-machine-keys": {
        "no-key-folder": gives(lambda w: w.access.clear()),
        "foreign-owner": gives(lambda w: w.access.update({RSA: AccessList(owner="S-1-5-21-1")})),
        "deny-entry": gives(
            lambda w: w.access.update(
                {MACHINE_KEYS: AccessList(entries=(Entry(sid="S-1-1-0", rights=1, allows=False),))}
            )
        ),
        "rights-are-there": UNTOUCHED,
    },
    "grant-update-store": {
        "no-update-store": gives(lambda w: w.folders.pop(STORES[0])),
        "system-drive-full": gives(lambda w: setattr(w, "free_bytes", 2**30 - 1)),
        "foreign-owner": gives(lambda w: w.access.update({STORES[0]: AccessList(owner="S-1-5-21-1")})),
        "deny-entry": gives(
            lambda w: w.access.update({STORES[0]: AccessList(entries=(Entry(sid="S-1-1-0", rights=1, allows=False),))})
        ),
        "rights-are-there": UNTOUCHED,
    },
    "rescan-updates": {
        "service-disabled": gives(lambda w: w.services.update(wuauserv=DISABLED)),
        "installation-under-way": INSTALLING,
    },
    "reset-update-store": {"installation-under-way": INSTALLING},
    "reset-worker-key": {"no-worker-key": without_key, "user-hybrid-worker": user_worker},
    "restart-agent": {"agent-not-installed": no_agent(""), "agent-disabled": no_agent("Disabled")},
    "restore-agent-cache": {"no-record": UNTOUCHED, "record-changed": changed_since("clear-agent-cache")},
    "restore-agent-service": {
        "no-record": UNTOUCHED,
        "record-changed": changed_since("enable-agent"),
        "not-a-service-record": edited("enable-agent", '{"service":"Spooler","startMode":"Auto"}'),
    },
    "restore-machine-keys": {
        "no-saved-list": UNTOUCHED,
        "saved-list-changed": changed_since("grant-machine-keys"),
    },
    "restore-registry": {
        "no-record": UNTOUCHED,
        "record-changed": changed_since("set-au-options"),
        "unknown-hive": edited("set-au-options", '{"values":[{"path":"SAM\\\\x","name":"y","existed":false}]}'),
    },
    "restore-store-rights": {"no-saved-list": UNTOUCHED, "saved-list-changed": changed_since("grant-update-store")},
    "restore-tls12": {"no-record": UNTOUCHED, "record-changed": changed_since("enable-tls12")},
    "restore-update-service": {
        "no-record": UNTOUCHED,
        "record-changed": changed_since("start-update-service"),
        "not-a-service-record": edited("start-update-service", '{"service":"Spooler","startMode":"Auto"}'),
    },
    "restore-update-store": {
        "no-record": UNTOUCHED,
        "record-changed": changed_since("reset-update-store"),
        "installation-under-way": installing_after_a_reset,
    },
    "restore-worker-key": {"no-export": UNTOUCHED, "export-changed": changed_since("reset-worker-key")},
    "resync-clock": {
        "no-time-service": gives(lambda w: w.services.pop("W32Time")),
        "time-service-disabled": gives(lambda w: w.services.update(W32Time=DISABLED)),
    },
    "set-au-options": {"domain-joined": JOINED, "configuration-manager": MANAGED},
    "set-reboot-policy": {"domain-joined": JOINED, "configuration-manager": MANAGED},
    "set-wsus-server": {"domain-joined": JOINED, "configuration-manager": MANAGED, "no-wsus-client": UNTOUCHED},
    "start-update-service": {
        "disabled-by-policy": gives(lambda w: w.registry.set(WINDOWS_UPDATE, "DisableWindowsUpdateAccess", 1)),
        "no-service": gives(lambda w: w.services.pop("wuauserv")),
        "disabled-again-twice": disabled_again_twice,
    },
    "update-signatures": {
        "no-defender": gives(lambda w: setattr(w, "defender", "none")),
        "defender-off": gives(lambda w: setattr(w, "defender", "off")),
    },
}


def done_tls(windows: Windows) -> None:
    """As somebody else would have set it."""
    for key, name, value in windows_agent.TLS_SETTINGS:
        windows.registry.set(key, name, value)


@pytest.mark.parametrize("name", WINDOWS)
def test_the_table_has_every_reason_of_the_real_script(name: str) -> None:
    assert REFUSALS[name].keys() == set(re.findall(r"outcome = 'refused'; reason = '([a-z-]+)'", WINDOWS[name]))


@pytest.mark.parametrize(("name", "reason"), [(name, reason) for name in REFUSALS for reason in REFUSALS[name]])
def test_the_simulated_script_refuses_for_that_reason_and_changes_nothing(name: str, reason: str) -> None:
    guest = a_guest()
    parameters = REFUSALS[name][reason](guest) or {}
    taken = {key: value for key, value in {**parameters_of(name), **parameters}.items() if key in parameters_of(name)}
    before = inside(guest)

    result = run(WINDOWS[name], guest, **taken)

    assert (result.exit_code, said(result)["outcome"], said(result)["reason"]) == (3, "refused", reason)
    assert inside(guest) == before


def inside(guest: Guest) -> tuple[object, ...]:
    """All that a script can change."""
    windows = guest.windows
    return (
        guest.key,
        guest.clock_ahead,
        guest.running,
        guest.agent_start,
        (windows.free_bytes, windows.downloaded_bytes),
        {key: file.text for key, file in guest.files.items()},
        windows.registry.content(),
        dict(windows.services),
        dict(windows.access),
        dict(windows.folders),
    )


UNDONE_BY = {
    "clear-agent-cache": "restore-agent-cache",
    "enable-agent": "restore-agent-service",
    "grant-update-store": "restore-store-rights",
    "set-wsus-server": "restore-registry",
    "enable-tls12": "restore-tls12",
    "grant-machine-keys": "restore-machine-keys",
    "reset-update-store": "restore-update-store",
    "reset-worker-key": "restore-worker-key",
    "set-au-options": "restore-registry",
    "set-reboot-policy": "restore-registry",
    "start-update-service": "restore-update-service",
}


@pytest.mark.parametrize("name", [name for name in WINDOWS if not name.startswith("restore-")])
def test_what_a_script_says_of_its_success_the_real_one_can_say(name: str) -> None:
    guest = a_guest()
    injured(guest, name)
    outcome = done(guest, name)
    assert "} 0" in WINDOWS[name]
    assert f"outcome = '{outcome['outcome']}'" in WINDOWS[name]
    assert [field for field in outcome if not re.search(rf"\b{field} = ", WINDOWS[name])] == []


@pytest.mark.parametrize("name", sorted(UNDONE_BY))
def test_the_same_step_twice_does_it_once_and_keeps_the_first_record(name: str) -> None:
    guest = a_guest()
    injured(guest, name)
    first = done(guest, name)
    guest_after = inside(guest)
    second = done(guest, name)

    assert (first["repeated"], second["repeated"]) == (False, True)
    assert {**second, "repeated": False} == first
    assert inside(guest) == guest_after


@pytest.mark.parametrize("name", sorted(UNDONE_BY))
def test_what_a_script_changed_its_undo_brings_back(name: str) -> None:
    guest = a_guest()
    injured(guest, name)
    guest.windows.registry.set(AU, "AlwaysAutoRebootAtScheduledTimeMinutes", 15)
    guest.windows.registry.set(AU, "Unrelated", 1)
    guest.windows.set_service("wuauserv", start="Disabled", running=False)
    before = inside(guest)
    outcome = done(guest, name)
    assert inside(guest) != before
    hashes = {key[0].upper() + key[1:]: value for key, value in outcome.items() if key.lower().endswith("sha256")}

    restored = done(guest, UNDONE_BY[name], **hashes)

    assert restored["outcome"] == "restored"
    # Our own records stay, and what Windows Update has stored since stays beside the old store; the agent runs.
    changed = [n for n, (was, is_now) in enumerate(zip(before, inside(guest), strict=True)) if was != is_now]
    assert set(changed) <= ({5, 9} if name in {"reset-update-store", "clear-agent-cache"} else {5})
    assert {key: guest.windows.folders[key] for key in before[9]} == before[9]  # type: ignore[attr-defined]


def test_what_windows_update_downloaded_makes_room_once() -> None:
    guest = a_guest()
    injured(guest, "free-update-cache")

    first, second = done(guest, "free-update-cache"), done(guest, "free-update-cache")

    assert (first["freeBytesBefore"], first["freeBytes"], first["repeated"]) == (2**20, 2**20 + 2**32, False)
    assert (second["freeBytesBefore"], second["freeBytes"], second["repeated"]) == (2**20 + 2**32,) * 2 + (True,)


@pytest.mark.parametrize("foreign", [False, True])
def test_a_key_that_a_script_made_goes_with_its_values_unless_others_are_in_it(*, foreign: bool) -> None:
    guest = a_guest()
    outcome = done(guest, "set-au-options")
    if foreign:
        guest.windows.registry.set(AU, "Unrelated", 1)
    done(guest, "restore-registry", Sha256=outcome["sha256"])
    assert guest.windows.registry.has(AU) is foreign


def test_a_service_that_was_disabled_again_is_enabled_once_more_and_then_left() -> None:
    guest = a_guest()
    for expected in (1, 2):
        guest.windows.set_service("wuauserv", start="Disabled", running=False)
        assert done(guest, "start-update-service")["previous"]["times"] == expected


def test_a_store_is_reset_again_after_a_week_only() -> None:
    guest = a_guest()
    done(guest, "reset-update-store")
    again = {
        days: said(run(WINDOWS["reset-update-store"], guest, NOW + timedelta(days=days), StepId=STEP))["repeated"]
        for days in (6, 8)
    }
    assert again == {6: True, 8: False}


def test_an_agent_is_restarted_once_an_hour_by_one_step() -> None:
    for text, os in ((WINDOWS["restart-agent"], "Windows"), (LINUX["restart-agent"], "Linux")):
        guest = a_guest(os=os)
        repeated = [
            said(run(text, guest, NOW + timedelta(minutes=minutes), StepId=STEP))["repeated"] for minutes in (0, 59, 61)
        ]
        assert repeated == [False, True, False]


def test_a_clock_is_set_and_tells_by_how_much() -> None:
    for text, os in ((WINDOWS["resync-clock"], "Windows"), (LINUX["resync-clock"], "Linux")):
        guest = a_guest(os=os)
        guest.clock_ahead = timedelta(hours=1)
        assert said(run(text, guest, StepId=STEP))["movedSeconds"] == -3600
        assert guest.clock_ahead == timedelta()


def test_an_export_of_the_worker_key_can_be_imported() -> None:
    key = WorkerKey(source_computer_id="11111111-0000-4000-8000-000000000001", user_group="Batch")
    assert WorkerKey.imported(key.export()) == key
    assert len(sha256_of(key.export())) == 64
