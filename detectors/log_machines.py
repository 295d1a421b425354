"""Which machine a row of a log is about."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from model.facts import Facts, Machine, Row
from model.resource_ids import InvalidResourceId, subscription_of, vm_ids

MOST_LISTED: Final = 50
"""How many machines a finding on a common cause lists; it always counts all of them."""
_SERVER: Final = re.compile(r"(?:https?://)?(?P<host>[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::\d{1,5})?/?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """A machine that a row tells of."""

    target: str
    """Its lower-case resource id; `name:<computer>` for one that Azure does not know."""
    name: str
    machine: Machine | None
    """As the inventory has it; None for one outside."""


class Reporters:
    """Tells machines by resource id and VM id; a name names only what has neither."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._by_vm_id: dict[str, Machine] | None = None

    def of(self, row: Row) -> Reporting | None:
        """The machine of a row with `MachineId`, `VmId` and `Computer`; None where it exists no more.

        A VM that was built anew under an old resource id is not the one that older rows tell of.
        """
        id_, computer = str(row.get("MachineId") or ""), str(row.get("Computer") or "")
        spellings = vm_ids(str(row.get("VmId") or ""))
        machine = self._facts.machines.get(id_)
        if machine is not None:
            if machine.vm_id and spellings and machine.vm_id not in spellings:
                return None
            return _known(machine)
        if same := self._with_vm_id(spellings):
            return _known(same)
        if not id_:
            target = computer.lower()
            return Reporting(target=f"name:{target}", name=computer, machine=None) if target else None
        try:
            if subscription_of(id_) in self._facts.subscriptions:
                # The inventory would name it if it existed.
                return None
        except InvalidResourceId:
            return None
        return Reporting(target=id_, name=computer or id_.rsplit("/", 1)[-1], machine=None)

    def _with_vm_id(self, spellings: Iterable[str]) -> Machine | None:
        if self._by_vm_id is None:
            self._by_vm_id = {one.vm_id: one for one in self._facts.machines.values() if one.vm_id}
        return next((self._by_vm_id[one] for one in spellings if one in self._by_vm_id), None)


def _known(machine: Machine) -> Reporting:
    return Reporting(target=machine.id, name=machine.name, machine=machine)


def update_server(text: object) -> str:
    """The WSUS server in a machine's summary, lower-case and without scheme and port; empty where it names none.

    The column carries the text of an error where the update agent is unwell.
    """
    found = _SERVER.fullmatch(text.strip()) if isinstance(text, str) else None
    host = found["host"].lower() if found else ""
    # A lone number or code is no server.
    return "" if re.fullmatch(r"-?\d+|0x[0-9a-f]+", host) else host
