"""What our scripts for Windows Update do inside a simulated machine, each as its file does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta

from model.documents import Json, list_at, text_at
from simulator.outcomes import fail, refuse
from simulator.windows import AU, FULL_CONTROL, STORES, SYSTEM, SYSTEM_AND_ITS_GROUPS, TRUSTED_INSTALLER, WINDOWS_UPDATE
from simulator.windows_call import Call, Fields


def rescan_updates(call: Call) -> Fields:
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


def update_signatures(call: Call) -> Fields:
    windows = call.guest.windows
    if windows.defender == "none":
        refuse("no-defender")
    if windows.defender == "off":
        refuse("defender-off")
    before, windows.signature_age = windows.signature_age, 0
    return "updated", {"daysBefore": before, "daysAfter": 0, "version": "1.405.1.0"}


def start_update_service(call: Call) -> Fields:
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
    return "started", {**call.recorded(), "previous": json.loads(call.read(".json")), "repeated": repeated}


def restore_update_service(call: Call) -> Fields:
    record, hash_, repeated = call.record_to_undo()
    start = text_at(record, "startMode")
    if record.get("service") != "wuauserv" or start not in {"Auto", "Manual", "Disabled"}:
        refuse("not-a-service-record")
    running = None if record.get("state") == "Running" else False
    call.guest.windows.set_service("wuauserv", start=start, running=running)
    call.undone(repeated=repeated)
    return "restored", {"sha256": hash_, "repeated": repeated}


def reset_update_store(call: Call) -> Fields:
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
    return "reset", {**call.recorded(), "renamed": renamed_folders, "repeated": repeated}


def restore_update_store(call: Call) -> Fields:
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


def free_update_cache(call: Call) -> Fields:
    windows, before = call.guest.windows, call.guest.windows.free_bytes
    repeated = call.has(".freed") and call.age(".freed") < timedelta(hours=1)
    if not repeated:
        if not windows.full:
            refuse("space-is-there", freeBytes=before)
        if not windows.downloaded_bytes:
            refuse("nothing-downloaded", freeBytes=before)
        if windows.installing:
            refuse("installation-under-way")
        windows.free_bytes, windows.downloaded_bytes = before + windows.downloaded_bytes, 0
        call.write(".freed")
        call.restart_agent()
    return "freed", {"freeBytesBefore": before, "freeBytes": windows.free_bytes, "repeated": repeated}


def grant_update_store(call: Call) -> Fields:
    windows, store = call.guest.windows, STORES[0]
    if store not in windows.folders:
        refuse("no-update-store")
    if windows.full:
        refuse("system-drive-full", freeBytes=windows.free_bytes)
    access = windows.access[store]
    if access.owner not in {SYSTEM, "S-1-5-32-544", TRUSTED_INSTALLER}:
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


def restore_store_rights(call: Call) -> Fields:
    if not call.has(".acl"):
        refuse("no-saved-list")
    if call.hash(".acl") != call.parameters["sha256"].lower():
        refuse("saved-list-changed")
    access = call.guest.windows.access
    access[STORES[0]] = access[STORES[0]].restored(call.read(".acl"))
    call.remove(".done")
    return "restored", {}


def set_au_options(call: Call) -> Fields:
    options = 7 if call.parameters["target"].lower() == "auto" and call.guest.windows.version >= 10 else 3
    return _set_policy(call, {"AUOptions": options})


def set_reboot_policy(call: Call) -> Fields:
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
    return "set", {**call.recorded(), "auOptions": wanted["AUOptions"], "previous": values, "repeated": repeated}


def set_wsus_server(call: Call) -> Fields:
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
    return "set", {"server": server, "previous": values, **call.recorded(), "repeated": repeated}


def restore_registry(call: Call) -> Fields:
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
