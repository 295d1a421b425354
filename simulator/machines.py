"""Machines over time: power, agents, registrations, and the hybrid worker groups that registrations leave behind."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from model.documents import Document, at, list_at, text_at
from model.facts import ARC_MACHINE_TYPE, VIRTUAL_MACHINE_TYPE
from model.times import parse_time
from simulator.clock import Clock
from simulator.fleet import Fleet
from simulator.guests import Guest, describe, make_guest
from simulator.heartbeats import Heartbeats
from simulator.outcomes import Effects, ScriptResult
from simulator.resources import ResourceStore
from simulator.scripts import run_script
from simulator.symptoms import Symptoms
from simulator.windows import AGENT_CACHE
from simulator.wire import time_out

GROUP_TYPE: Final = "Microsoft.Automation/AutomationAccounts/HybridRunbookWorkerGroups"
WORKER_TYPE: Final = f"{GROUP_TYPE}/HybridRunbookWorkers"
_BOOT: Final = timedelta(minutes=2)
_FIRST_SCAN: Final = timedelta(minutes=15)
_UNSEEN: Final = timedelta(hours=1)
"""A worker that was not seen for as long hangs: one that runs calls every minute."""
_POWER: Final = {
    "running": "VM running",
    "stopped": "VM stopped",
    "deallocated": "VM deallocated",
}


class Machines:
    """All machines of an estate; guests are made when somebody looks inside."""

    def __init__(
        self, fleet: Fleet, resources: ResourceStore, heartbeats: Heartbeats, symptoms: Symptoms, clock: Clock
    ) -> None:
        self.account = fleet.account
        self.symptoms = symptoms
        self.resources, self.heartbeats, self.clock = resources, heartbeats, clock
        self._given = {key.lower(): guest for key, guest in fleet.guests.items()}
        self._guests: dict[str, Guest] = {}
        self._named: dict[str, str] = {}
        for agent, computer in heartbeats.computers.items():
            for name in (computer.lower(), computer.lower().partition(".")[0]):
                self._named.setdefault(name, agent)
        self._user_groups = self._user_groups_by_machine()
        self._hanging = self._hanging_workers()
        """Agents that beat while their worker is not seen: it is started anew with them."""
        self.purged: set[str] = set()
        """Agents that beat and whose worker group the account has not any more: nothing can be started there."""
        self.effects = Effects(restarted=self._restarted, now=lambda: clock.now)
        for agent in self._given:
            # Now, so that a guest that cannot be used is an error at the start.
            self.guest(agent)

    def document(self, resource_id: str) -> Document | None:
        found = self.resources.get(resource_id)
        kinds = {VIRTUAL_MACHINE_TYPE.lower(), ARC_MACHINE_TYPE.lower()}
        return found if found and str(found["type"]).lower() in kinds else None

    def guest(self, resource_id: str) -> Guest:
        agent = resource_id.lower()
        if agent not in self._guests:
            guest = make_guest(
                agent,
                os_of(self.document(agent) or {}),
                self.heartbeats.identities.get(agent, ""),
                self._user_groups.get(agent, ""),
            )
            self.symptoms.seed(guest)
            describe(guest, self._given.get(agent, {}), self.clock.now)
            self.symptoms.begin(guest)
            self._guests[agent] = guest
        return self._guests[agent]

    def identity(self, agent: str) -> str:
        """The identity under which a machine's worker can be reached now; empty where it cannot."""
        if agent not in self.heartbeats.living or agent in self._hanging or agent in self.purged:
            return ""
        return self.heartbeats.identities.get(agent, "")

    def workers(self) -> set[str]:
        """The identities that have a system worker group, in lower case."""
        return {
            text_at(group, "name").rsplit("_", 1)[-1].lower()
            for group in self.resources.of_type(GROUP_TYPE)
            if self._is_system(str(group["id"]))
        }

    def agent_named(self, computer: str) -> str:
        """The agent of a computer that is known by name only."""
        wanted = computer.lower()
        for name in (wanted, wanted.partition(".")[0]):
            if name in self._named:
                return self._named[name]
        return f"name:{wanted}"

    def run_script(self, resource_id: str, text: str, parameters: Mapping[str, str]) -> ScriptResult:
        """Run a script in a machine's guest; what it changed shows from now on."""
        guest = self.guest(resource_id)
        result = run_script(text, guest, parameters, self.effects)
        self.symptoms.follow(guest, self.clock.now)
        return result

    def is_reachable(self, resource_id: str) -> bool:
        """True where Run Command can reach the guest: running, with a ready guest agent, or connected to Arc."""
        document = self.document(resource_id) or {}
        if str(document.get("type", "")).lower() == ARC_MACHINE_TYPE.lower():
            return text_at(document, "properties.status").lower() == "connected"
        return power_of(document) == "running"

    def is_ready(self, resource_id: str) -> bool:
        """True where the VM's guest agent reports `Ready`; Arc machines have none."""
        statuses = list_at(self.document(resource_id) or {}, "properties.instanceView.vmAgent.statuses")
        codes = {text_at(status, "code").lower() for status in statuses if isinstance(status, dict)}
        return not codes or "provisioningstate/succeeded" in codes

    def set_power(self, document: Document, power: str) -> None:
        """`running`, `stopped` or `deallocated`; the agent follows."""
        agent = str(document["id"]).lower()
        for status in list_at(document, "properties.instanceView.statuses"):
            if isinstance(status, dict) and text_at(status, "code").lower().startswith("powerstate/"):
                status["code"], status["displayStatus"] = f"PowerState/{power}", _POWER[power]
        self.resources.changed(document)
        if power != "running":
            self.heartbeats.silence(agent)
        elif self.guest(agent).key is not None and self.guest(agent).running:
            self.clock.at(self.clock.now + _BOOT, lambda: self.heartbeats.resume(agent, self.clock.now))

    def worker_last_seen(self, worker: Document) -> Document:
        """A worker as the service answers it now: one whose agent beats was seen a moment ago."""
        agent = text_at(worker, "properties.vmResourceId").lower() or self.agent_named(
            text_at(worker, "properties.workerName")
        )
        group = str(worker["id"]).split("/")[-3]
        system = self._is_system(str(worker["id"]).rsplit("/", 2)[0])
        identity = self.identity(agent)
        if not identity or (system and not group.lower().endswith(identity.lower())):
            return worker
        properties = worker.get("properties")
        seen = time_out(self.clock.now - timedelta(minutes=20))
        return {
            **worker,
            "properties": {**(properties if isinstance(properties, dict) else {}), "lastSeenDateTime": seen},
        }

    def _restarted(self, guest: Guest) -> None:
        """The agent came up: with its key it is who the key says, without it registers anew after a while."""
        guest.restarts += 1
        attempt = guest.restarts
        self._hanging.discard(guest.agent)
        if guest.windows.folders.get(AGENT_CACHE) == "damaged":
            return
        if guest.key is not None:
            if guest.key.source_computer_id:
                self.heartbeats.register(guest.agent, guest.key.source_computer_id, self.clock.now)
                self.clock.at(self.clock.now + _FIRST_SCAN, self._assessment(guest, attempt))
            return
        self.heartbeats.silence(guest.agent)
        if guest.registers_after is not None:
            self.clock.at(self.clock.now + guest.registers_after, self._registration(guest, attempt))

    def _assessment(self, guest: Guest, attempt: int) -> Callable[[], None]:
        def assess() -> None:
            identity = self.identity(guest.agent)
            if guest.restarts == attempt and identity:
                self.heartbeats.rescan(guest.agent, identity, self.clock.now)

        return assess

    def _registration(self, guest: Guest, attempt: int) -> Callable[[], None]:
        def register() -> None:
            # A later restart has its own registration, and one with an imported key needs none.
            if guest.key is not None or guest.restarts != attempt or not self.is_reachable(guest.agent):
                return
            identity = guest.next_identity()
            guest.registrations += 1
            guest.key = make_guest(guest.agent, guest.os, identity, "").key
            now = self.clock.now
            self.heartbeats.register(guest.agent, identity, now)
            self._add_system_group(guest.agent, identity)
            self.purged.discard(guest.agent)
            self.clock.at(now + _FIRST_SCAN, self._assessment(guest, attempt))

        return register

    def _add_system_group(self, agent: str, identity: str) -> None:
        machine = self.document(agent) or {}
        computer = self.heartbeats.computers.get(agent) or text_at(machine, "name")
        name = f"{computer}_{identity}"
        group_id = f"{self.account}/hybridRunbookWorkerGroups/{name}"
        worker = str(uuid.uuid5(uuid.NAMESPACE_URL, group_id.lower()))
        location = text_at(self.resources.get(self.account) or {}, "location")
        self.resources.put(
            {
                "id": group_id,
                "name": name,
                "type": GROUP_TYPE,
                "location": location,
                "properties": {"groupType": "System", "credential": None},
            }
        )
        self.resources.put(
            {
                "id": f"{group_id}/hybridRunbookWorkers/{worker}",
                "name": worker,
                "type": WORKER_TYPE,
                "location": location,
                "properties": {
                    "ip": "10.0.0.4",
                    "registeredDateTime": time_out(self.clock.now),
                    "lastSeenDateTime": time_out(self.clock.now),
                    "vmResourceId": machine.get("id"),
                    "workerType": "HybridV1",
                    "workerName": computer,
                },
            }
        )

    def _hanging_workers(self) -> set[str]:
        found = set()
        for worker in self.resources.of_type(WORKER_TYPE):
            group_id = str(worker["id"]).rsplit("/", 2)[0]
            agent = text_at(worker, "properties.vmResourceId").lower() or self.agent_named(
                text_at(worker, "properties.workerName")
            )
            seen, identity = (
                parse_time(at(worker, "properties.lastSeenDateTime")),
                self.heartbeats.identities.get(agent),
            )
            mine = identity and self._is_system(group_id) and group_id.lower().endswith(identity.lower())
            if mine and agent in self.heartbeats.living and seen and self.clock.now - seen > _UNSEEN:
                found.add(agent)
        return found

    def _is_system(self, group_id: str) -> bool:
        return text_at(self.resources.get(group_id) or {}, "properties.groupType").lower() == "system"

    def _user_groups_by_machine(self) -> dict[str, str]:
        found = {}
        for worker in self.resources.of_type(WORKER_TYPE):
            group_id = str(worker["id"]).rsplit("/", 2)[0]
            group = self.resources.get(group_id) or {}
            if text_at(group, "properties.groupType").lower() == "user":
                found[text_at(worker, "properties.vmResourceId").lower()] = text_at(group, "name")
        found.pop("", None)
        return found


def os_of(document: Document) -> str:
    """`Windows` or `Linux`, of a VM or an Arc machine; empty where the document does not say."""
    return (
        text_at(document, "properties.storageProfile.osDisk.osType")
        or text_at(document, "properties.osType")
        or text_at(document, "properties.osName")
    ).capitalize()


def power_of(document: Document) -> str:
    """`running`, `deallocated` …; empty where there is no instance view."""
    for status in list_at(document, "properties.instanceView.statuses"):
        if isinstance(status, dict):
            kind, _, value = text_at(status, "code").lower().partition("/")
            if kind == "powerstate":
                return value
    return ""
