"""What our scripts for the monitoring agent do inside a simulated Windows machine, each as its file does."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Final

from model.documents import Document, text_at
from simulator.guests import WorkerKey, sha256_of
from simulator.outcomes import fail, refuse
from simulator.windows import (
    AGENT_CACHE,
    DOTNET,
    MACHINE_KEYS,
    MODIFY,
    READ_AND_EXECUTE,
    RSA,
    SYSTEM,
    SYSTEM_AND_ITS_GROUPS,
    TLS12_CLIENT,
    TRUSTED_INSTALLER,
)
from simulator.windows_call import Call, Fields

_TIME_MOVED: Final = timedelta(seconds=60)
_HKLM: Final = "HKLM:\\"


def reset_worker_key(call: Call) -> Fields:
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


def restore_worker_key(call: Call) -> Fields:
    if not call.has(".reg"):
        refuse("no-export")
    if sha256_of(call.read(".reg")) != call.parameters["sha256"].lower():
        refuse("export-changed")
    call.guest.key = WorkerKey.imported(call.read(".reg"))
    call.remove(".done")
    call.restart_agent()
    return "restored", {"sha256": sha256_of(call.read(".reg"))}


def restart_agent(call: Call) -> Fields:
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


def clear_agent_cache(call: Call) -> Fields:
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
    return "cleared", {"renamedTo": renamed, **call.recorded(), "repeated": repeated}


def restore_agent_cache(call: Call) -> Fields:
    record, hash_, repeated = call.record_to_undo()
    folders, was, is_now = call.guest.windows.folders, text_at(record, "from"), text_at(record, "to")
    if is_now in folders:
        if was in folders:
            folders[f"{is_now}.newer"] = folders.pop(was)
        folders[was] = folders.pop(is_now)
        call.restart_agent()
    call.undone(repeated=repeated)
    return "restored", {"sha256": hash_, "repeated": repeated}


def enable_agent(call: Call) -> Fields:
    guest = call.guest
    if not guest.agent_start:
        refuse("agent-not-installed")
    repeated = call.has(".done")
    times = json.loads(call.read(".json"))["times"] if call.has(".json") else 0
    if guest.agent_start == "Disabled":
        if repeated:
            if times >= 2:
                refuse("disabled-again-twice")
            call.remove(".json", ".done")
            repeated = False
        if not call.has(".json"):
            state = "Running" if guest.running else "Stopped"
            was = {"service": "HealthService", "startMode": "Disabled", "state": state, "times": times + 1}
            call.write(".json", json.dumps(was))
        guest.agent_start = "Automatic"
    elif not call.has(".json"):
        refuse("not-disabled")
    if not guest.running:
        call.restart_agent()
    call.write(".done")
    return "enabled", {**call.recorded(), "previous": json.loads(call.read(".json")), "repeated": repeated}


def restore_agent_service(call: Call) -> Fields:
    record, hash_, repeated = call.record_to_undo()
    start = {"Auto": "Automatic"}.get(text_at(record, "startMode"), text_at(record, "startMode"))
    if record.get("service") != "HealthService" or start not in {"Automatic", "Manual", "Disabled"}:
        refuse("not-a-service-record")
    if record.get("state") != "Running":
        call.guest.running = False
    call.guest.agent_start = start
    call.undone(repeated=repeated)
    return "restored", {"sha256": hash_, "repeated": repeated}


def resync_clock(call: Call) -> Fields:
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


def enable_tls12(call: Call) -> Fields:
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


def restore_tls12(call: Call) -> Fields:
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


def grant_machine_keys(call: Call) -> Fields:
    windows = call.guest.windows
    lacking = False
    for folder, rights in ((RSA, READ_AND_EXECUTE), (MACHINE_KEYS, MODIFY)):
        if folder not in windows.access:
            refuse("no-key-folder")
        access = windows.access[folder]
        if access.owner not in {SYSTEM, "S-1-5-32-544", TRUSTED_INSTALLER}:
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


def restore_machine_keys(call: Call) -> Fields:
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
