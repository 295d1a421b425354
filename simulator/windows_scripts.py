"""What our scripts for Windows do inside a simulated guest, each as its file in `remediations/scripts/windows` does.

Like those, each keeps its records under `C:\\ProgramData\\Patchwright`, named after the step.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from model.documents import Document, Json, list_at, text_at
from simulator.guests import File, Guest, WorkerKey, sha256_of
from simulator.outcomes import Effects, Ended, ScriptResult, fail, outcome_line, refuse
from simulator.windows import (
    AGENT_CACHE,
    AU,
    DOTNET,
    FULL_CONTROL,
    MACHINE_KEYS,
    MODIFY,
    READ_AND_EXECUTE,
    RSA,
    STORES,
    SYSTEM,
    SYSTEM_AND_ITS_GROUPS,
    TLS12_CLIENT,
    WINDOWS_UPDATE,
)

FOLDER: Final = "C:\\ProgramData\\Patchwright\\"
_STEP_ID: Final = "[0-9a-f]{16}"
_SHA256: Final = "[0-9a-f]{64}"
_LEAST_FREE: Final = 2**30
_TIME_MOVED: Final = timedelta(seconds=60)
_HKLM: Final = "HKLM:\\"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A script that runs: the machine, and what it was told."""

    guest: Guest
    parameters: Mapping[str, str]
    effects: Effects

    @property
    def step(self) -> str:
        return self.parameters["stepid"].lower()

    def path(self, ending: str) -> str:
        return f"{FOLDER}{self.step}{ending}"

    def has(self, ending: str) -> bool:
        return self.path(ending).lower() in self.guest.files

    def read(self, ending: str) -> str:
        return self.guest.files[self.path(ending).lower()].text

    def write(self, ending: str, text: str = "") -> None:
        self.guest.files[self.path(ending).lower()] = File(text=text, written=self.effects.now())

    def remove(self, *endings: str) -> None:
        for ending in endings:
            self.guest.files.pop(self.path(ending).lower(), None)

    def move(self, ending: str, to: str) -> None:
        self.guest.files[self.path(to).lower()] = self.guest.files.pop(self.path(ending).lower())

    def age(self, ending: str) -> timedelta:
        return self.effects.now() - self.guest.files[self.path(ending).lower()].written

    def hash(self, ending: str) -> str:
        return hashlib.sha256(self.read(ending).encode()).hexdigest()

    def restart_agent(self) -> None:
        if self.guest.agent_start != "Automatic":
            fail("Service 'Microsoft Monitoring Agent (HealthService)' cannot be started.")
        self.guest.running = True
        self.effects.restarted(self.guest)

    def record_to_undo(self, checked: str = "sha256") -> tuple[Document, str, bool]:
        """The record of a change, its hash, and whether it was undone before; refused where it is not the right one."""
        repeated = not self.has(".json")
        ending = ".undone.json" if repeated else ".json"
        if not self.has(ending):
            refuse("no-record")
        if self.hash(ending) != self.parameters[checked].lower():
            refuse("record-changed")
        record: Document = json.loads(self.read(ending))
        return record, self.hash(ending), repeated

    def undone(self, *, repeated: bool) -> None:
        """The record stays, under a name that says that it has been used."""
        if not repeated:
            self.move(".json", ".undone.json")
        self.remove(".done")


type Fields = tuple[str, dict[str, Json]]


def _reset_worker_key(call: Call) -> Fields:
    guest, done = call.guest, call.has(".done")
    if not done and guest.key is None and not call.has(".reg"):
        refuse("no-worker-key")
    if not done and guest.key is not None:
        if guest.key.user_group:
            refuse("user-hybrid-worker")
        call.write(".reg", guest.key.export())
        guest.key = None
    if not done:
        call.write(".done")
    if guest.key is None:
        call.restart_agent()
    path = call.path(".reg")
    return "reset", {"exportPath": path, "sha256": sha256_of(call.read(".reg")), "repeated": done}


def _restore_worker_key(call: Call) -> Fields:
    if not call.has(".reg"):
        refuse("no-export")
    if sha256_of(call.read(".reg")) != call.parameters["sha256"].lower():
        refuse("export-changed")
    call.guest.key = WorkerKey.imported(call.read(".reg"))
    call.remove(".done")
    call.restart_agent()
    return "restored", {"sha256": sha256_of(call.read(".reg"))}


def _restart_agent(call: Call) -> Fields:
    guest = call.guest
    if not guest.agent_start:
        refuse("agent-not-installed")
    if guest.agent_start == "Disabled":
        refuse("agent-disabled")
    before = "Running" if guest.running else "Stopped"
    repeated = call.has(".restarted") and call.age(".restarted") < timedelta(hours=1)
    if not repeated or before != "Running":
        call.restart_agent()
        call.write(".restarted")
    return "restarted", {"before": before, "after": "Running", "repeated": repeated}


def _clear_agent_cache(call: Call) -> Fields:
    guest, folders = call.guest, call.guest.windows.folders
    if not guest.agent_start:
        refuse("agent-not-installed")
    if guest.agent_start == "Disabled":
        refuse("agent-disabled")
    repeated = call.has(".done")
    if repeated and call.age(".done") > timedelta(days=1):
        call.remove(".json", ".done")
        repeated = False
    if not repeated:
        if AGENT_CACHE not in folders and not call.has(".json"):
            refuse("no-cache")
        if not call.has(".json"):
            suffix = f".{call.step}-{call.effects.now():%Y%m%d%H%M%S}"
            call.write(".json", json.dumps({"from": AGENT_CACHE, "to": AGENT_CACHE + suffix}))
        record = json.loads(call.read(".json"))
        if record["from"] in folders and record["to"] not in folders:
            folders[record["to"]] = folders.pop(record["from"])
            folders[record["from"]] = "new"
        call.restart_agent()
        call.write(".done")
    renamed = json.loads(call.read(".json"))["to"]
    return "cleared", {"renamedTo": renamed, **_recorded(call), "repeated": repeated}


def _restore_agent_cache(call: Call) -> Fields:
    record, hash_, repeated = call.record_to_undo()
    folders, was, is_now = call.guest.windows.folders, text_at(record, "from"), text_at(record, "to")
    if is_now in folders:
        if was in folders:
            folders[f"{is_now}.newer"] = folders.pop(was)
        folders[was] = folders.pop(is_now)
        call.restart_agent()
    call.undone(repeated=repeated)
    return "restored", {"sha256": hash_, "repeated": repeated}


def _resync_clock(call: Call) -> Fields:
    windows = call.guest.windows
    if "W32Time" not in windows.services:
        refuse("no-time-service")
    service = windows.services["W32Time"]
    if service.start == "Disabled":
        refuse("time-service-disabled")
    windows.set_service("W32Time", running=True)
    if not windows.time_source:
        fail("w32tm ended with -2147024637: The computer did not resync because no time data was available.")
    moved, call.guest.clock_ahead = -call.guest.clock_ahead, timedelta()
    if abs(moved) >= _TIME_MOVED:
        call.restart_agent()
    seconds = int(moved.total_seconds())
    return "resynchronized", {
        "movedSeconds": seconds, "startedService": not service.running, "stepId": call.step
    }  # fmt: skip


TLS_SETTINGS: Final = (
    (TLS12_CLIENT, "Enabled", 1),
    (TLS12_CLIENT, "DisabledByDefault", 0),
    *((key, "SchUseStrongCrypto", 1) for key in DOTNET),
)


def _enable_tls12(call: Call) -> Fields:
    registry = call.guest.windows.registry
    before: list[Document] = []
    wrong = 0
    for key, name, wanted in TLS_SETTINGS:
        held = registry.value(key, name)
        if held is not None and held.kind != "DWord":
            refuse("not-a-number", value=name)
        value = held.value if held else None
        wrong += (None if value is None else int(bool(value))) != wanted
        before.append({"key": f"{_HKLM}{key}", "name": name, "keyThere": registry.has(key), "value": value})
    saved = call.has("-tls12.json")
    done = saved and call.has(".done")
    if not wrong and not saved:
        refuse("already-on")
    repeated = not wrong
    if not repeated:
        if done or not saved:
            call.remove(".done")
            call.write("-tls12.json", json.dumps(before))
        for key, name, wanted in TLS_SETTINGS:
            registry.set(key, name, wanted)
    if not call.has(".done"):
        call.restart_agent()
        call.write(".done")
    was = ["-" if one["value"] is None else str(one["value"]) for one in json.loads(call.read("-tls12.json"))]
    return "enabled", {"before": ",".join(was), "sha256": call.hash("-tls12.json"), "repeated": repeated}


def _restore_tls12(call: Call) -> Fields:
    if not call.has("-tls12.json"):
        refuse("no-record")
    if call.hash("-tls12.json") != call.parameters["sha256"].lower():
        refuse("record-changed")
    registry = call.guest.windows.registry
    before = json.loads(call.read("-tls12.json"))
    for one in before:
        key = one["key"].removeprefix(_HKLM)
        if one["value"] is not None:
            registry.set(key, one["name"], one["value"])
        else:
            registry.remove(key, one["name"])
    for one in before:
        if not one["keyThere"]:
            registry.drop_empty(one["key"].removeprefix(_HKLM))
    call.remove(".done")
    call.restart_agent()
    return "restored", {"sha256": call.hash("-tls12.json")}


def _grant_machine_keys(call: Call) -> Fields:
    windows = call.guest.windows
    lacking = False
    for folder, rights in ((RSA, READ_AND_EXECUTE), (MACHINE_KEYS, MODIFY)):
        if folder not in windows.access:
            refuse("no-key-folder")
        access = windows.access[folder]
        if access.owner not in {SYSTEM, "S-1-5-32-544", _TRUSTED_INSTALLER}:
            refuse("foreign-owner", owner=access.owner)
        for entry in access.entries:
            if entry.sid in SYSTEM_AND_ITS_GROUPS and not entry.allows and "IO" not in entry.flags:
                refuse("deny-entry", sid=entry.sid)
        lacking |= windows.allowed(folder) & rights != rights
    saved = call.has("-parent.acl") and call.has("-keys.acl")
    done = saved and call.has(".done")
    if not lacking and not saved:
        refuse("rights-are-there")
    if lacking:
        if done or not saved:
            call.remove(".done")
            call.write("-parent.acl", windows.access[RSA].saved("RSA"))
            call.write("-keys.acl", windows.access[MACHINE_KEYS].saved("MachineKeys"))
        windows.access[RSA] = windows.access[RSA].granting(SYSTEM, READ_AND_EXECUTE)
        windows.access[MACHINE_KEYS] = windows.access[MACHINE_KEYS].granting(SYSTEM, MODIFY)
    if not call.has(".done"):
        call.restart_agent()
        call.write(".done")
    return "granted", {
        "parentSha256": call.hash("-parent.acl"), "keysSha256": call.hash("-keys.acl"), "repeated": not lacking
    }  # fmt: skip


def _grant_update_store(call: Call) -> Fields:
    windows, store = call.guest.windows, STORES[0]
    if store not in windows.folders:
        refuse("no-update-store")
    if windows.free_bytes < _LEAST_FREE:
        refuse("system-drive-full", freeBytes=windows.free_bytes)
    access = windows.access[store]
    if access.owner not in {SYSTEM, "S-1-5-32-544", _TRUSTED_INSTALLER}:
        refuse("foreign-owner", owner=access.owner)
    for entry in access.entries:
        if entry.sid in SYSTEM_AND_ITS_GROUPS and not entry.allows and "IO" not in entry.flags:
            refuse("deny-entry", sid=entry.sid)
    lacking, saved = windows.allowed(store) & FULL_CONTROL != FULL_CONTROL, call.has(".acl")
    if not lacking and not saved:
        refuse("rights-are-there", freeBytes=windows.free_bytes)
    if lacking:
        if not saved or call.has(".done"):
            call.remove(".done")
            call.write(".acl", access.saved("SoftwareDistribution"))
        windows.access[store] = access.granting(SYSTEM, FULL_CONTROL)
    if not call.has(".done"):
        call.restart_agent()
        call.write(".done")
    return "granted", {"sha256": call.hash(".acl"), "repeated": not lacking}


def _restore_store_rights(call: Call) -> Fields:
    if not call.has(".acl"):
        refuse("no-saved-list")
    if call.hash(".acl") != call.parameters["sha256"].lower():
        refuse("saved-list-changed")
    access = call.guest.windows.access
    access[STORES[0]] = access[STORES[0]].restored(call.read(".acl"))
    call.remove(".done")
    return "restored", {}


def _restore_machine_keys(call: Call) -> Fields:
    saved = (("-parent.acl", RSA, "parentsha256"), ("-keys.acl", MACHINE_KEYS, "keyssha256"))
    for ending, _, parameter in saved:
        if not call.has(ending):
            refuse("no-saved-list")
        if call.hash(ending) != call.parameters[parameter].lower():
            refuse("saved-list-changed")
    access = call.guest.windows.access
    for ending, folder, _ in saved:
        access[folder] = access[folder].restored(call.read(ending))
    call.remove(".done")
    return "restored", {}


def _rescan_updates(call: Call) -> Fields:
    windows = call.guest.windows
    if windows.services["wuauserv"].start == "Disabled":
        refuse("service-disabled")
    if windows.installing:
        refuse("installation-under-way")
    windows.restart_update_service()
    if error := windows.error():
        fail(error)
    call.restart_agent()
    return "scanned", {"needed": 1, "resultCode": 2}


def _update_signatures(call: Call) -> Fields:
    windows = call.guest.windows
    if windows.defender == "none":
        refuse("no-defender")
    if windows.defender == "off":
        refuse("defender-off")
    before, windows.signature_age = windows.signature_age, 0
    return "updated", {"daysBefore": before, "daysAfter": 0, "version": "1.405.1.0"}


def _start_update_service(call: Call) -> Fields:
    windows = call.guest.windows
    if windows.registry.number(WINDOWS_UPDATE, "DisableWindowsUpdateAccess") == 1:
        refuse("disabled-by-policy")
    service = windows.services.get("wuauserv")
    if service is None:
        refuse("no-service")
    repeated = call.has(".done")
    times = json.loads(call.read(".json"))["times"] if call.has(".json") else 0
    if repeated and service.start == "Disabled":
        if times >= 2:
            refuse("disabled-again-twice")
        call.remove(".json", ".done")
        repeated = False
    if not call.has(".json"):
        state = "Running" if service.running else "Stopped"
        was = {"service": "wuauserv", "startMode": service.start, "state": state, "times": times + 1}
        call.write(".json", json.dumps(was))
    if service.start == "Disabled":
        windows.set_service("wuauserv", start="Manual")
    windows.set_service("wuauserv", running=True)
    call.write(".done")
    call.restart_agent()
    return "started", {**_recorded(call), "previous": json.loads(call.read(".json")), "repeated": repeated}


def _restore_update_service(call: Call) -> Fields:
    record, hash_, repeated = call.record_to_undo()
    start = text_at(record, "startMode")
    if record.get("service") != "wuauserv" or start not in {"Auto", "Manual", "Disabled"}:
        refuse("not-a-service-record")
    running = None if record.get("state") == "Running" else False
    call.guest.windows.set_service("wuauserv", start=start, running=running)
    call.undone(repeated=repeated)
    return "restored", {"sha256": hash_, "repeated": repeated}


def _reset_update_store(call: Call) -> Fields:
    windows = call.guest.windows
    repeated = call.has(".done")
    if repeated and call.age(".done") > timedelta(days=7):
        call.remove(".json", ".done")
        repeated = False
    if not repeated:
        if windows.installing:
            refuse("installation-under-way")
        if not call.has(".json"):
            suffix = f".{call.step}-{call.effects.now():%Y%m%d%H%M%S}"
            renamed: list[Json] = [{"from": store, "to": store + suffix} for store in STORES]
            running: list[Json] = [name for name in ("wuauserv", "BITS") if windows.services[name].running]
            call.write(".json", json.dumps({"renamed": renamed, "running": running}))
        for one in json.loads(call.read(".json"))["renamed"]:
            if one["from"] in windows.folders and one["to"] not in windows.folders:
                windows.folders[one["to"]] = windows.folders.pop(one["from"])
                windows.folders[one["from"]] = "new"
        call.write(".done")
        call.restart_agent()
    renamed_folders = json.loads(call.read(".json"))["renamed"]
    return "reset", {**_recorded(call), "renamed": renamed_folders, "repeated": repeated}


def _restore_update_store(call: Call) -> Fields:
    record, hash_, repeated = call.record_to_undo()
    windows = call.guest.windows
    if windows.installing:
        refuse("installation-under-way")
    for one in list_at(record, "renamed"):
        was, is_now = (text_at(one, name) for name in ("from", "to")) if isinstance(one, dict) else ("", "")
        if is_now not in windows.folders:
            continue
        if was in windows.folders:
            windows.folders[f"{is_now}.newer"] = windows.folders.pop(was)
        windows.folders[was] = windows.folders.pop(is_now)
    call.undone(repeated=repeated)
    return "restored", {"sha256": hash_, "repeated": repeated}


def _set_au_options(call: Call) -> Fields:
    options = 7 if call.parameters["target"].lower() == "auto" and call.guest.windows.version >= 10 else 3
    return _set_policy(call, {"AUOptions": options})


def _set_reboot_policy(call: Call) -> Fields:
    return _set_policy(
        call,
        {
            "AUOptions": 7 if call.guest.windows.version >= 10 else 3,
            "AlwaysAutoRebootAtScheduledTime": 0,
            "AlwaysAutoRebootAtScheduledTimeMinutes": None,
            "NoAutoRebootWithLoggedOnUsers": 1,
        },
    )


def _set_policy(call: Call, wanted: Mapping[str, int | None]) -> Fields:
    """Values of Windows Update's policy; None is one that must not be there."""
    windows = call.guest.windows
    if windows.domain_joined:
        refuse("domain-joined")
    if windows.configuration_manager:
        refuse("configuration-manager")
    registry, there = windows.registry, windows.registry.has(AU)
    previous: list[Json] = []
    fits = True
    for name, value in wanted.items():
        held = registry.value(AU, name)
        previous.append(
            {
                "path": AU,
                "keyExisted": there,
                "name": name,
                "existed": held is not None,
                "kind": held.kind if held else "DWord",
                "value": held.value if held else None,
            }
        )
        fits &= (held.value if held else None) == value
    repeated = call.has(".done")
    if repeated and not fits:
        call.remove(".done", ".json")
        repeated = False
    if not call.has(".json"):
        call.write(".json", json.dumps({"values": previous}))
    if not fits:
        registry.make(AU)
        for name, value in wanted.items():
            if value is None:
                registry.remove(AU, name)
            else:
                registry.set(AU, name, value)
    call.write(".done")
    values = json.loads(call.read(".json"))["values"]
    return "set", {**_recorded(call), "auOptions": wanted["AUOptions"], "previous": values, "repeated": repeated}


def _set_wsus_server(call: Call) -> Fields:
    windows, registry = call.guest.windows, call.guest.windows.registry
    if windows.domain_joined:
        refuse("domain-joined")
    if windows.configuration_manager:
        refuse("configuration-manager")
    if registry.number(AU, "UseWUServer") != 1:
        refuse("no-wsus-client")
    server = bytes.fromhex(call.parameters["serverhex"]).decode()
    previous: list[Json] = []
    fits = True
    for name in ("WUServer", "WUStatusServer"):
        held = registry.value(WINDOWS_UPDATE, name)
        previous.append(
            {
                "path": WINDOWS_UPDATE,
                "keyExisted": registry.has(WINDOWS_UPDATE),
                "name": name,
                "existed": held is not None,
                "kind": held.kind if held else "String",
                "value": held.value if held else None,
            }
        )
        fits &= held is not None and held.value == server
    repeated = call.has(".done")
    if repeated and not fits:
        call.remove(".done", ".json")
        repeated = False
    if not call.has(".json"):
        call.write(".json", json.dumps({"values": previous}))
    for name in ("WUServer", "WUStatusServer"):
        registry.set(WINDOWS_UPDATE, name, server, "String")
    if not repeated:
        if windows.services["wuauserv"].running:
            windows.restart_update_service()
        call.restart_agent()
    call.write(".done")
    values = json.loads(call.read(".json"))["values"]
    return "set", {"server": server, "previous": values, **_recorded(call), "repeated": repeated}


def _restore_registry(call: Call) -> Fields:
    record, hash_, repeated = call.record_to_undo()
    values = [value for value in list_at(record, "values") if isinstance(value, dict)]
    if any(not text_at(value, "path").startswith(("SOFTWARE\\", "SYSTEM\\")) for value in values):
        refuse("unknown-hive")
    registry = call.guest.windows.registry
    for value in values:
        path, name = text_at(value, "path"), text_at(value, "name")
        if value.get("existed"):
            registry.set(path, name, value.get("value"), text_at(value, "kind"))
        else:
            registry.remove(path, name)
    for value in values:
        if not value.get("keyExisted"):
            registry.drop_empty(text_at(value, "path"))
    call.undone(repeated=repeated)
    return "restored", {"sha256": hash_, "repeated": repeated}


def _recorded(call: Call) -> dict[str, Json]:
    return {"recordPath": call.path(".json"), "sha256": call.hash(".json")}


_TRUSTED_INSTALLER: Final = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Script:
    body: Callable[[Call], Fields]
    parameters: Mapping[str, str]
    """By name, what `ValidatePattern` says of it."""


_STEP: Final = {"StepId": _STEP_ID}
_UNDO: Final = {"StepId": _STEP_ID, "Sha256": _SHA256}
SCRIPTS: Final[Mapping[str, _Script]] = {
    "clear-agent-cache": _Script(body=_clear_agent_cache, parameters=_STEP),
    "enable-tls12": _Script(body=_enable_tls12, parameters=_STEP),
    "grant-machine-keys": _Script(body=_grant_machine_keys, parameters=_STEP),
    "grant-update-store": _Script(body=_grant_update_store, parameters=_STEP),
    "rescan-updates": _Script(body=_rescan_updates, parameters={}),
    "reset-update-store": _Script(body=_reset_update_store, parameters=_STEP),
    "reset-worker-key": _Script(body=_reset_worker_key, parameters=_STEP),
    "restart-agent": _Script(body=_restart_agent, parameters=_STEP),
    "restore-agent-cache": _Script(body=_restore_agent_cache, parameters=_UNDO),
    "restore-machine-keys": _Script(
        body=_restore_machine_keys, parameters={**_STEP, "ParentSha256": _SHA256, "KeysSha256": _SHA256}
    ),
    "restore-registry": _Script(body=_restore_registry, parameters=_UNDO),
    "restore-store-rights": _Script(body=_restore_store_rights, parameters=_UNDO),
    "restore-tls12": _Script(body=_restore_tls12, parameters=_UNDO),
    "restore-update-service": _Script(body=_restore_update_service, parameters=_UNDO),
    "restore-update-store": _Script(body=_restore_update_store, parameters=_UNDO),
    "restore-worker-key": _Script(body=_restore_worker_key, parameters=_UNDO),
    "resync-clock": _Script(body=_resync_clock, parameters=_STEP),
    "set-au-options": _Script(body=_set_au_options, parameters={**_STEP, "Target": "3|auto"}),
    "set-reboot-policy": _Script(body=_set_reboot_policy, parameters=_STEP),
    "set-wsus-server": _Script(body=_set_wsus_server, parameters={**_STEP, "ServerHex": "([0-9a-f]{2}){10,300}"}),
    "start-update-service": _Script(body=_start_update_service, parameters=_STEP),
    "update-signatures": _Script(body=_update_signatures, parameters={}),
}


def run(name: str, guest: Guest, parameters: Mapping[str, str], effects: Effects) -> ScriptResult:
    """Run one of `SCRIPTS`; `parameters` by lower-case name."""
    script = SCRIPTS[name]
    if unknown := parameters.keys() - {known.lower() for known in script.parameters}:
        stderr = f"A parameter cannot be found that matches parameter name '{min(unknown)}'."
        return ScriptResult(exit_code=1, stderr=stderr)
    for parameter, pattern in script.parameters.items():
        # PowerShell refuses before the script's first line, so there is no outcome to print.
        if not re.fullmatch(pattern, parameters.get(parameter.lower(), ""), re.IGNORECASE | re.ASCII):
            return ScriptResult(exit_code=1, stderr=f"Cannot validate argument on parameter '{parameter}'.")
    try:
        outcome, fields = script.body(Call(guest=guest, parameters=parameters, effects=effects))
    except Ended as ended:
        return ended.result
    return ScriptResult(exit_code=0, stdout=outcome_line(outcome, **fields))
