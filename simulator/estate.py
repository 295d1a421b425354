"""The whole simulated estate: what there is, and what happens to it as time passes."""

from __future__ import annotations

from datetime import datetime

from model.documents import Document, text_at
from simulator.clock import Clock
from simulator.deployments import Deployments
from simulator.faults import Faults
from simulator.fleet import Fleet
from simulator.heartbeats import Heartbeats
from simulator.inventory import Inventory
from simulator.logs import LogStore
from simulator.machines import Machines
from simulator.operations import Operations
from simulator.options import Options
from simulator.providers import Providers
from simulator.resources import ResourceStore
from simulator.run_commands import RunCommands
from simulator.symptoms import Symptoms


class Estate:
    """Made from a fleet, which it leaves as it was; everything that changes afterwards is in here."""

    def __init__(self, fleet: Fleet, options: Options | None = None) -> None:
        self.fleet = fleet
        self.options = options or Options()
        self.faults = Faults()
        self.clock = Clock(fleet.now, flows=self.options.flows)
        self.resources = ResourceStore(fleet.documents)
        workspace = self.resources.get(fleet.workspace) or {}
        self.workspace_guid = text_at(workspace, "properties.customerId")
        self.logs = LogStore(self.workspace_guid, fleet.logs)
        self.heartbeats = Heartbeats(self.logs, fleet.now)
        self.symptoms = Symptoms(fleet.account, self.resources, self.logs, self.heartbeats, fleet.now)
        self.machines = Machines(fleet, self.resources, self.heartbeats, self.symptoms, self.clock)
        self.deployments = Deployments(fleet.account, self.resources, self.machines, self.logs, self.clock)
        self.run_commands = RunCommands(self.machines, self.faults, self.clock, self.options)
        self.providers = Providers(self.resources, self.clock)
        self.inventory = Inventory(self.resources)
        self.operations = Operations()
        self.roles: dict[str, list[Document]] = {
            f"/subscriptions/{subscription}".lower(): [{"actions": ["*"], "dataActions": ["*"]}]
            for subscription in fleet.subscriptions
        }
        """What the caller may do, by lower-case scope: `actions`, `notActions` and so on, a role each."""
        # Now rather than under the first request, which would seem slow.
        self.inventory.refresh()

    @property
    def now(self) -> datetime:
        return self.clock.now

    def settings(self) -> dict[str, str]:
        """The settings of contract.md that point an app here; the address is the server's to add."""
        return {
            "PATCHWRIGHT_SUBSCRIPTIONS": ",".join(self.fleet.subscriptions),
            "PATCHWRIGHT_AUTOMATION_ACCOUNTS": self.fleet.account,
            "PATCHWRIGHT_WORKSPACES": self.fleet.workspace,
        }

    def close(self) -> None:
        """Give back what the tables hold."""
        self.logs.connection.close()
        self.inventory.close()
