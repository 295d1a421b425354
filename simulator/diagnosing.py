"""What the diagnosis finds inside a simulated guest: the state that fix scripts change, in the script's own letters.

What is not modelled of a machine is healthy, unless its fleet says otherwise, rule by rule.
"""

from __future__ import annotations

from typing import Final

from model.diagnosis import RULES, OperatingSystem, checksum
from model.facts import ARC_MACHINE_TYPE
from simulator.guests import Guest
from simulator.windows import AU, DOTNET, MACHINE_KEYS, MODIFY, SYSTEM_AND_ITS_GROUPS, WINDOWS_UPDATE, Windows

_OF_ARC: Final = frozenset({"arc", "ars", "arx", "are"})
_OF_AZURE: Final = frozenset({"ims", "gua", "rda", "wir", "pex", "dmi"})
_VERSIONS: Final = {6: "6.3.9600", 10: "10.0.17763"}
_A_LINE: Final = 6
"""Installed updates that the script writes in a line."""


def diagnosis_of(guest: Guest) -> str:
    """What the diagnosis prints in this guest: what its state shows, what the fleet says, and `P` for the rest."""
    if guest.printed:
        return guest.printed
    os = OperatingSystem(guest.os.lower())
    said = {rule.code: "P" for rule in RULES.of(os)}
    foreign = _OF_AZURE if ARC_MACHINE_TYPE.lower() in guest.agent else _OF_ARC
    said |= dict.fromkeys(foreign & said.keys(), "N")
    match os:
        case OperatingSystem.WINDOWS:
            said |= _windows(guest)
        case OperatingSystem.LINUX:
            said |= _linux(guest)
    said |= {code: text for code, text in guest.diagnosis.items() if code in said}
    lines = [f"{code}:{text}" for code, text in said.items()]
    updates = guest.installed_updates or ()
    lines += ["+" + ",".join(updates[n : n + _A_LINE]) for n in range(0, len(updates), _A_LINE)]
    body = "".join(f"{line}\n" for line in lines)
    return f"patchwright-diagnosis 1 {os.value}\n{body}patchwright-end {len(lines)} {checksum(body)}\n"


def _windows(guest: Guest) -> dict[str, str]:
    windows, updates = guest.windows, guest.installed_updates
    return {
        "os": f"P:{_VERSIONS.get(windows.version, _VERSIONS[10])}",
        "hs": _agent(guest),
        "srw": "P" if guest.running and guest.key else "F:stopped",
        "key": "P:1" if guest.key else "F:missing",
        "rsa": _machine_keys(windows),
        "tls": "P" if windows.speaks_tls12() else "F:disabled",
        "str": "F:off" if 0 in [windows.registry.number(path, "SchUseStrongCrypto") for path in DOTNET] else "P",
        "arb": "W:set" if windows.restarts_by_itself() else "P",
        "wsu": "W:set" if windows.server else "P",
        "auo": _automatic_updates(windows),
        "rbp": _restart_policy(windows),
        "dom": "W:joined" if windows.domain_joined else "P",
        "kbs": "U:notmodelled" if updates is None else f"P:{len(updates)}",
        "wus": "F:disabled" if windows.services["wuauserv"].start == "Disabled" else "P",
        "sig": _signatures(windows),
        "dsk": _free_space(windows),
        "clk": _clock(guest),
    }


def _linux(guest: Guest) -> dict[str, str]:
    free = guest.linux.free_kb // 1024
    return {
        "os": "I:ubuntu-20.04",
        "omi": "P" if guest.agent_start else "F:missing",
        "omr": _agent(guest),
        "dsk": f"{'F' if free < 512 else 'W' if free < 2048 else 'P'}:{free}MB",
        "clk": _clock(guest),
    }


def _agent(guest: Guest) -> str:
    if guest.running:
        return "P"
    return {"": "F:missing", "Disabled": "F:disabled"}.get(guest.agent_start, "F:stopped")


def _machine_keys(windows: Windows) -> str:
    entries = [e for e in windows.access[MACHINE_KEYS].entries if e.sid in SYSTEM_AND_ITS_GROUPS]
    if any(not entry.allows and entry.rights & MODIFY for entry in entries if "IO" not in entry.flags):
        return "F:denied"
    return "P" if windows.may_write_keys() else "F:rights"


def _signatures(windows: Windows) -> str:
    if windows.defender != "on":
        return f"N:{windows.defender}"
    return f"{'F' if windows.signature_age > 3 else 'P'}:{windows.signature_age}d"


def _free_space(windows: Windows) -> str:
    megabytes = windows.free_bytes // 2**20
    return f"{'F' if megabytes < 2048 else 'W' if megabytes < 8192 else 'P'}:{megabytes}MB"


def _automatic_updates(windows: Windows) -> str:
    options = windows.registry.number(AU, "AUOptions")
    if windows.registry.number(AU, "NoAutoUpdate") == 1:
        return "P:off"
    return {None: "W:default", 4: "W:4"}.get(options, f"P:{options}")


def _restart_policy(windows: Windows) -> str:
    registry = windows.registry
    if registry.number(AU, "NoAutoUpdate") != 1 and registry.number(AU, "AUOptions") == 4:
        if registry.number(AU, "AlwaysAutoRebootAtScheduledTime") == 1:
            return "W:scheduled"
        if registry.number(AU, "NoAutoRebootWithLoggedOnUsers") != 1:
            return "W:nobodysignedin"
    return "W:activehours" if registry.number(WINDOWS_UPDATE, "SetActiveHours") == 1 else "P"


def _clock(guest: Guest) -> str:
    seconds = abs(int(guest.clock_ahead.total_seconds()))
    return f"{'F' if seconds >= 300 else 'W' if seconds >= 60 else 'P'}:{seconds}s"
