"""What the fix scripts look at and change inside a Windows machine, and what Windows Update makes of it.

In a fleet folder a guest's `windows` may say (all optional):

- `registry`: `{"SOFTWARE\\\\…": {"AUOptions": 4}}`, DWORDs by key below HKEY_LOCAL_MACHINE.
- `services`: `{"wuauserv": "Disabled"}`, start types; a service with one of `Auto` and `Manual` runs.
- `machineKeys`: `{"owner": SID, "denied": SID, "lacking": true}`, what keeps SYSTEM from the folder of machine keys.
- `updateStore`: `damaged`, or `denied` where SYSTEM has no full control of it.
- `agentCache`: `damaged`; until it is built anew the agent runs and does not beat.
- `freeBytes`, `downloadedBytes`: what is free on the system drive, and what Windows Update has downloaded to it.
- `signatureAge`: how many days old Defender's definitions are.
- `domainJoined`, `configurationManager`, `installing`, `timeSource`: true or false.
- `version`: the major version of Windows, 10 from Server 2016 on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from model.documents import Document, Json, text_at
from simulator.fleet import BrokenFleet

AU: Final = r"SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate\AU"
WINDOWS_UPDATE: Final = r"SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate"
TLS12_CLIENT: Final = r"SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.2\Client"
DOTNET: Final = (
    r"SOFTWARE\Microsoft\.NETFramework\v4.0.30319",
    r"SOFTWARE\Wow6432Node\Microsoft\.NETFramework\v4.0.30319",
)
RSA: Final = r"C:\ProgramData\Microsoft\Crypto\RSA"
MACHINE_KEYS: Final = rf"{RSA}\MachineKeys"
STORES: Final = (r"C:\Windows\SoftwareDistribution", r"C:\Windows\System32\catroot2")
AGENT_CACHE: Final = r"C:\Program Files\Microsoft Monitoring Agent\Agent\Health Service State"
FULL_CONTROL: Final = 0x1F01FF
SYSTEM: Final = "S-1-5-18"
ADMINISTRATORS: Final = "S-1-5-32-544"
TRUSTED_INSTALLER: Final = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
MODIFY: Final = 0x1301BF
READ_AND_EXECUTE: Final = 0x1200A9
UNHEALTHY: Final = "Error returned from unhealthy WUA agent"
SCHEDULED: Final = "Scheduled installation"
NOTIFY: Final = "Notify before installation"
SERVICE_DISABLED: Final = "0x80070422"
STORE_DAMAGED: Final = "0x80248007"
NO_SERVER_NAMED: Final = "0x80244011"
ACCESS_DENIED: Final = "0x80070005"

LEAST_FREE: Final = 2**30

_KNOWN: Final = frozenset(
    {"registry", "services", "machineKeys", "updateStore", "agentCache", "freeBytes", "downloadedBytes", "domainJoined",
     "configurationManager", "installing", "timeSource", "version", "signatureAge"}
)  # fmt: skip
_ENTRY: Final = re.compile(r"\(([AD]);([A-Z]*);(0x[0-9a-f]+);;;([^)]+)\)")
_OF_A_DISABLED_SERVICE: Final = frozenset({SERVICE_DISABLED, "0x8024002e"})
_OF_A_DAMAGED_STORE: Final = frozenset({"0x8007000d", "0x80242006", STORE_DAMAGED})
_PASS_WITH_A_RESTART: Final = frozenset(
    {"0x80072ee2", "0x80072ee7", "0x80072efd", "0x80072efe", "0x8024000b", "0x8024001e", "0x8024401c", "0x80244022",
     "0x8024402c", "0x80248000", "0x8024a000", "0x80d02002"}
)  # fmt: skip
_CODE: Final = re.compile(r"0x[0-9a-f]{8}|-?\b[0-9]{10}\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryValue:
    kind: str
    value: Json


class Registry:
    """Keys below HKEY_LOCAL_MACHINE, compared without regard to case as Windows compares them."""

    def __init__(self) -> None:
        self._keys: dict[str, dict[str, RegistryValue]] = {}

    def has(self, path: str) -> bool:
        return path.lower() in self._keys

    def value(self, path: str, name: str) -> RegistryValue | None:
        return self._keys.get(path.lower(), {}).get(name.lower())

    def number(self, path: str, name: str) -> int | None:
        held = self.value(path, name)
        return held.value if held and isinstance(held.value, int) else None

    def set(self, path: str, name: str, value: Json, kind: str = "DWord") -> None:
        self.make(path)
        self._keys[path.lower()][name.lower()] = RegistryValue(kind=kind, value=value)

    def make(self, path: str) -> None:
        """The key and all above it."""
        parts = path.lower().split("\\")
        for end in range(1, len(parts) + 1):
            self._keys.setdefault("\\".join(parts[:end]), {})

    def remove(self, path: str, name: str) -> None:
        self._keys.get(path.lower(), {}).pop(name.lower(), None)

    def drop_empty(self, path: str) -> None:
        """Remove a key that holds neither values nor keys."""
        below = path.lower() + "\\"
        if self._keys.get(path.lower()) == {} and not any(key.startswith(below) for key in self._keys):
            del self._keys[path.lower()]

    def content(self) -> dict[str, dict[str, RegistryValue]]:
        """Every value, by key: something to compare with."""
        return {path: dict(values) for path, values in self._keys.items() if values}


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    start: str
    """`Auto`, `Manual` or `Disabled`."""
    running: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of an access list."""

    sid: str
    rights: int
    allows: bool = True
    flags: str = ""
    """As SDDL writes them: `IO` is for what lies inside only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessList:
    owner: str = SYSTEM
    entries: tuple[Entry, ...] = ()

    def saved(self, name: str) -> str:
        """What `icacls /save` writes: without the owner."""
        written = (f"({'A' if e.allows else 'D'};{e.flags};{e.rights:#x};;;{e.sid})" for e in self.entries)
        return f"{name}\r\nD:PAI{''.join(written)}\r\n"

    def restored(self, text: str) -> AccessList:
        """What `icacls /restore` makes of it."""
        return AccessList(
            owner=self.owner,
            entries=tuple(
                Entry(sid=sid, rights=int(rights, 16), allows=kind == "A", flags=flags)
                for kind, flags, rights, sid in _ENTRY.findall(text)
            ),
        )

    def granting(self, sid: str, rights: int) -> AccessList:
        return AccessList(owner=self.owner, entries=(*self.entries, Entry(sid=sid, rights=rights)))


_DEFAULT: Final = AccessList(
    entries=(Entry(sid=ADMINISTRATORS, rights=FULL_CONTROL), Entry(sid=SYSTEM, rights=FULL_CONTROL, flags="OICI"))
)
_LACKING: Final = AccessList(entries=(Entry(sid="S-1-5-32-545", rights=READ_AND_EXECUTE),))


def _services() -> dict[str, Service]:
    return {name: Service(start="Manual", running=True) for name in ("wuauserv", "BITS", "CryptSvc", "W32Time")}


@dataclass(slots=True, kw_only=True)
class Windows:
    """What is so on an ordinary server, unless it is said or shows otherwise."""

    registry: Registry = field(default_factory=Registry)
    services: dict[str, Service] = field(default_factory=_services)
    access: dict[str, AccessList] = field(
        default_factory=lambda: dict.fromkeys((RSA, MACHINE_KEYS, STORES[0]), _DEFAULT)
    )
    folders: dict[str, str] = field(default_factory=lambda: dict.fromkeys((*STORES, AGENT_CACHE), "whole"))
    """What Windows Update and the agent have stored, by folder: `whole`, `damaged`, `damaged for installing` where a
    scan is spared, or `new` where it began again."""
    domain_joined: bool = False
    configuration_manager: bool = False
    installing: bool = False
    time_source: bool = True
    version: int = 10
    free_bytes: int = 40 * 2**30
    downloaded_bytes: int = 0
    """In the folder of Windows Update."""
    signature_age: int = 0
    """How many days old Defender's definitions are."""
    defender: str = "on"
    """`on`, `off` where another product is in charge, or `none`."""
    scan_error: str = ""
    """What a scan ends with, whatever the service and the store are like; in the words of the machine's summary."""
    ours_to_mend: bool = False
    """Whether updates fail to install for a disabled service or a damaged store."""

    def set_service(self, name: str, *, start: str = "", running: bool | None = None) -> None:
        now = self.services[name]
        self.services[name] = Service(start=start or now.start, running=now.running if running is None else running)

    def restart_update_service(self) -> None:
        """What only wanted a restart of the service is over."""
        self.set_service("wuauserv", running=True)
        if _code(self.scan_error) in _PASS_WITH_A_RESTART:
            self.scan_error = ""

    def error(self) -> str:
        """What a scan for updates ends with; empty where it succeeds."""
        if self.services["wuauserv"].start == "Disabled":
            return f"Exception from HRESULT: {SERVICE_DISABLED}"
        if self.registry.number(AU, "UseWUServer") == 1 and self.server is None:
            return f"Exception from HRESULT: {NO_SERVER_NAMED}"
        if "damaged" in (self.folders.get(store) for store in STORES):
            return f"Exception from HRESULT: {STORE_DAMAGED}"
        if self.full or self.allowed(STORES[0]) & FULL_CONTROL != FULL_CONTROL:
            return f"Access is denied. (Exception from HRESULT: {ACCESS_DENIED} (E_ACCESSDENIED))"
        return self.scan_error

    @property
    def full(self) -> bool:
        """Whether the system drive has less room than Windows Update needs."""
        return self.free_bytes < LEAST_FREE

    def summary(self) -> tuple[str, str]:
        """`WindowsUpdateSetting` and `WSUSServer` of an assessment; the latter holds the error of one that failed."""
        if error := self.error():
            return UNHEALTHY, error
        options = self.registry.number(AU, "AUOptions")
        return (SCHEDULED if options in {None, 4} else NOTIFY), self.server or ""

    def mended_for_installing(self) -> bool:
        """Whether what kept it from installing is a matter of scripts of ours, and is mended."""
        damaged = any(self.folders.get(store, "").startswith("damaged") for store in STORES)
        return self.ours_to_mend and self.services["wuauserv"].start != "Disabled" and not damaged

    @property
    def server(self) -> str | None:
        """The WSUS server that the policy names."""
        held = self.registry.value(WINDOWS_UPDATE, "WUServer")
        return str(held.value) if held else None

    def speaks_tls12(self) -> bool:
        enabled, disabled = (self.registry.number(TLS12_CLIENT, name) for name in ("Enabled", "DisabledByDefault"))
        return enabled != 0 and disabled in {None, 0}

    def may_write_keys(self) -> bool:
        return self.allowed(MACHINE_KEYS) & MODIFY == MODIFY

    def allowed(self, folder: str) -> int:
        """What SYSTEM, by itself or a group that it belongs to, is allowed on the folder itself."""
        rights = 0
        for entry in self.access[folder].entries:
            if entry.sid in SYSTEM_AND_ITS_GROUPS and "IO" not in entry.flags and entry.allows:
                rights |= entry.rights
        return rights

    def restarts_by_itself(self) -> bool:
        return self.registry.number(AU, "AlwaysAutoRebootAtScheduledTime") == 1

    # What the logs of a fleet tell of its machines.

    def shows_summary(self, setting: str, server: str, server_when_well: str) -> None:
        if server_when_well:
            self.registry.set(AU, "UseWUServer", 1)
            self.registry.set(WINDOWS_UPDATE, "WUServer", server_when_well, "String")
        if setting == UNHEALTHY:
            self.fails_with(server)
            self.registry.set(AU, "AUOptions", 3)
        else:
            self.registry.set(AU, "AUOptions", 4 if setting == SCHEDULED else 3)

    def fails_with(self, text: str) -> None:
        """The state that this error of the update agent comes from."""
        code = _code(text)
        if code in _OF_A_DISABLED_SERVICE:
            self.services["wuauserv"] = Service(start="Disabled", running=False)
        elif code in _OF_A_DAMAGED_STORE:
            self.folders[STORES[0]] = "damaged"
        elif code == ACCESS_DENIED and not self.full:
            self.lacks_store_rights()
        elif code == NO_SERVER_NAMED:
            self.registry.set(AU, "UseWUServer", 1)
            self.registry.remove(WINDOWS_UPDATE, "WUServer")
        else:
            self.scan_error = text

    def fails_to_install(self, text: str) -> None:
        code = _code(text)
        self.ours_to_mend = code in _OF_A_DISABLED_SERVICE | _OF_A_DAMAGED_STORE
        if code in _OF_A_DISABLED_SERVICE:
            self.services["wuauserv"] = Service(start="Disabled", running=False)
        elif code in _OF_A_DAMAGED_STORE:
            self.folders[STORES[1]] = "damaged for installing"

    def refuses_tls12(self) -> None:
        self.registry.set(TLS12_CLIENT, "Enabled", 0)

    def lacks_rights(self) -> None:
        self.access |= dict.fromkeys((RSA, MACHINE_KEYS), _LACKING)

    def lacks_store_rights(self) -> None:
        self.access[STORES[0]] = _LACKING

    def restarts_after_updates(self) -> None:
        self.registry.set(AU, "AlwaysAutoRebootAtScheduledTime", 1)


SYSTEM_AND_ITS_GROUPS: Final = frozenset({SYSTEM, ADMINISTRATORS, "S-1-1-0", "S-1-5-11"})


def given_windows(where: str, windows: Windows, given: Mapping[str, Json]) -> None:
    """Make a machine what a fleet folder says of it. Raises `BrokenFleet`."""
    if unknown := given.keys() - _KNOWN:
        raise BrokenFleet(f"{where}: windows: there is no such key: {', '.join(sorted(unknown))}")
    for path, values in _objects(given.get("registry")):
        for name, value in values.items():
            windows.registry.set(path, name, value, "DWord" if isinstance(value, int) else "String")
    services = given.get("services")
    for name, start in services.items() if isinstance(services, dict) else ():
        if name not in windows.services or start not in {"Auto", "Manual", "Disabled"}:
            raise BrokenFleet(f"{where}: windows: there is no service {name} with the start type {start!r:.20}")
        windows.services[name] = Service(start=str(start), running=start != "Disabled")
    keys = given.get("machineKeys")
    if isinstance(keys, dict):
        held = _LACKING if keys.get("lacking") else _DEFAULT
        denied = text_at(keys, "denied")
        entries = (*((Entry(sid=denied, rights=MODIFY, allows=False),) if denied else ()), *held.entries)
        access = AccessList(owner=text_at(keys, "owner") or SYSTEM, entries=entries)
        windows.access |= dict.fromkeys((RSA, MACHINE_KEYS), access)
    if given.get("updateStore") == "damaged":
        windows.folders[STORES[0]] = "damaged"
    if given.get("updateStore") == "denied":
        windows.lacks_store_rights()
    if given.get("agentCache") == "damaged":
        windows.folders[AGENT_CACHE] = "damaged"
    age = given.get("signatureAge")
    windows.signature_age = age if isinstance(age, int) else windows.signature_age
    free = given.get("freeBytes")
    windows.free_bytes = free if isinstance(free, int) else windows.free_bytes
    downloaded = given.get("downloadedBytes")
    windows.downloaded_bytes = downloaded if isinstance(downloaded, int) else windows.downloaded_bytes
    if windows.full and given.get("updateStore") != "denied":
        # That is why access is denied, whatever its logs have made us think.
        windows.access[STORES[0]] = _DEFAULT
    windows.domain_joined = given.get("domainJoined") is True
    windows.configuration_manager = given.get("configurationManager") is True
    windows.installing = given.get("installing") is True
    windows.time_source = given.get("timeSource") is not False
    version = given.get("version")
    windows.version = version if isinstance(version, int) else windows.version


def _objects(given: Json) -> Iterable[tuple[str, Document]]:
    held = given if isinstance(given, dict) else {}
    return [(key, value) for key, value in held.items() if isinstance(value, dict)]


def _code(text: str) -> str:
    """The innermost code in lower-case hexadecimal, whatever its spelling in the text."""
    found: list[str] = _CODE.findall(text.lower())
    return f"{int(found[-1], 0) & 0xFFFFFFFF:#010x}" if found else ""
