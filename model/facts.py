"""What a sweep knows of the estate: read once, frozen, the same for every detector.

Resource Manager documents are kept as Azure sent them beside the few fields that decisions need, so that an edit can
send back everything it did not understand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from model.documents import Document, Json

if TYPE_CHECKING:
    # It needs `Unreadable` from here.
    from model.diagnosis import Diagnosis


class Reading(StrEnum):
    """A set of facts that is read with a handful of requests, whatever the number of machines."""

    MACHINES = "machines"
    """Azure VMs and Arc machines, from Resource Graph."""
    DEPLOYMENTS = "deployments"
    """Software update configurations, as the list gives them: without `scheduleInfo`."""
    RUNS = "runs"
    """Runs of deployments within the lookback."""
    MACHINE_RUNS = "machine-runs"
    """Machine runs within the lookback that did not simply succeed."""
    JOB_OUTPUTS = "job-outputs"
    """What the jobs of failed Linux machine runs wrote: requests grow with the failures, not with the fleet."""
    USER_WORKERS = "user-workers"
    """Members of hybrid worker groups that people made; their registration lives in the same registry key."""
    SYSTEM_GROUPS = "system-groups"
    """Hybrid worker groups of Update Management, one a machine; they come in the same pages as those of people."""
    JOBS = "jobs"
    """The account's jobs around each run in which a machine failed to start, and its usages; else no request."""
    SAVED_SEARCHES = "saved-searches"
    """The workspace's saved searches, among them the scope of Update Management."""
    WORKSPACE = "log-workspace"
    """The workspace itself: its daily cap, its link to the Automation account, its Updates solution."""
    AGENTS = "agents"
    """VM extensions that install the Log Analytics agent, from Resource Graph."""
    DYNAMIC_GROUPS = "dynamic-groups"
    """What became of the machines that dynamic queries select and the newest runs did not call: requests grow with
    those, not with the fleet."""
    PROVIDERS = "providers"
    """Registration of the resource providers in each subscription."""
    CONTAINERS = "resource-containers"
    """Resource groups and subscriptions with their tags, from Resource Graph."""
    SUBSCRIPTIONS = "subscriptions"
    """Every subscription that the reader can see, with its tenant."""


class PowerState(StrEnum):
    RUNNING = "running"
    STARTING = "starting"
    STOPPED = "stopped"
    DEALLOCATED = "deallocated"
    UNKNOWN = "unknown"
    """Resource Graph had no power state, or one that is not listed here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """An Azure VM or an Arc machine, from Resource Graph."""

    id: str
    """Lower-case resource id."""
    arm_id: str
    """The id in Azure's spelling."""
    name: str
    location: str
    os: str
    """`Windows`, `Linux` or empty."""
    vm_id: str
    """Lower-case `vmId` (Azure) or `vmUuid` (Arc); empty where Azure gave none."""
    power: PowerState
    tags: Mapping[str, str] = field(default_factory=dict)
    is_arc: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicQuery:
    """Selects machines by where they are and what tags they carry; evaluated anew at each run."""

    scopes: tuple[str, ...]
    """Lower-case subscriptions and resource groups; one without any selects nothing."""
    locations: frozenset[str] = frozenset()
    """Lower-case and without blanks; empty for anywhere."""
    tags: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Lower-case names, each with the lower-case values that it may have; empty for any machine."""
    all_tags: bool = True
    """True where every tag has to fit, else one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A software update configuration: which machines are patched, when, for how long."""

    id: str
    """Lower-case resource id."""
    arm_id: str
    name: str
    operating_system: str
    duration: timedelta | None
    azure_machines: tuple[str, ...]
    """Lower-case resource ids of the machines that it names."""
    computer_names: tuple[str, ...]
    query_scopes: tuple[str, ...]
    """Lower-case scopes (subscriptions, resource groups) of its dynamic queries."""
    queries: tuple[DynamicQuery, ...] = ()
    frequency: str
    next_run: datetime | None
    last_modified: datetime | None
    package_classifications: frozenset[str] | None = None
    """Lower-case classifications of Linux packages that it installs; None where it says nothing of Linux."""
    package_exclusions: tuple[str, ...] = ()
    """Masks of Linux packages that it leaves out."""
    kb_exclusions: frozenset[str] = frozenset()
    """Numbers of Windows updates that it leaves out, without `KB`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRun:
    """One run of a deployment; `id` is the correlation id of its machine runs."""

    id: str
    deployment: str
    """The deployment's name, lower-case: runs know no more of it."""
    status: str
    """Free text of the service, lower-case (`succeeded`, `maintenancewindowexceeded`, …)."""
    configured_duration: timedelta | None
    start: datetime | None
    end: datetime | None
    computer_count: int | None = None
    """How many machines it called; None where the answer does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceChange:
    """A change of a resource, as Resource Graph remembers it for 14 days."""

    at: datetime
    kind: str
    """Lower-case `create`, `update` or `delete`."""
    before: Mapping[str, str]
    """Path of each property that changed (`tags.env`), with the value that it had; empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRun:
    """One machine's part in a run."""

    id: str
    run: str
    """The run's id."""
    deployment: str
    target: str
    """Lower-case resource id, or a computer name."""
    status: str
    source_computer_id: str
    error: str
    start: datetime | None
    os: str = ""
    """`Windows`, `Linux` or empty."""
    job: str = ""
    """Name of the Automation job that did it, lower-case; empty for one that never started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOutput:
    """What a job wrote: its output, or where that is empty the errors among its streams."""

    text: str
    """Beginning and end of a long one; what is no text in any known encoding is replaced, never dropped."""
    cut: bool = False
    """True where something is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserWorker:
    """A machine in a hybrid worker group of type User."""

    group: str
    machine_id: str
    """Lower-case resource id; empty for a machine outside Azure."""
    worker_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemGroup:
    """A machine's own hybrid worker group, which Azure names after the computer and its agent's identity."""

    id: str
    """Lower-case resource id."""
    name: str
    computer: str
    """Lower-case computer name, fully qualified where the computer is in a domain."""
    source_computer_id: str
    """Lower-case identity of the agent that registered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job of the account, whatever it is for."""

    id: str
    runbook: str
    status: str
    """Lower-case: `new`, `activating`, `running`, `completed` …; an open set."""
    created: datetime | None
    start: datetime | None
    """None for one that waits still."""
    end: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How much of one of the account's allowances is used."""

    name: str
    unit: str
    current: float
    limit: float
    """Negative where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedSearch:
    id: str
    arm_id: str
    etag: str
    document: Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A subscription that the reader can see."""

    id: str
    """Lower-case GUID."""
    name: str
    tenant: str
    """Lower-case GUID of the tenant that owns it; empty where Azure gave none."""
    managed_by: tuple[str, ...] = ()
    """Lower-case GUIDs of the tenants to which Azure Lighthouse delegates it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A resource group or a subscription, from Resource Graph."""

    id: str
    """Lower-case resource id."""
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRegistration:
    subscription: str
    namespace: str
    state: str
    """`Registered`, `NotRegistered`, `Registering`, `Unregistering`, `Unregistered`; an open set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogWorkspace:
    """The Log Analytics workspace, and how account and solution hang together with it."""

    arm_id: str
    name: str
    guid: str
    """Lower-case `customerId`: what agents call the workspace."""
    ingestion: str
    """Lower-case `dataIngestionStatus`: `respectquota`, `approachingquota`, `overquota`, …; empty where none came."""
    daily_quota_gb: float | None
    """Daily cap; -1 for none, None where the answer had no number."""
    quota_resets: datetime | None
    sku: str
    account_links_to: str
    """Lower-case id of the workspace that the account says it is linked to; empty for none."""
    linked_account: str
    """Lower-case id of the Automation account that the workspace says it is linked to; empty for none."""
    has_solution: bool
    """`Updates(<workspace>)` exists."""
    pack_enabled: bool
    """The intelligence pack `Updates` is switched on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentExtension:
    """A VM extension of the Log Analytics agent, which was retired on 31 August 2024."""

    machine_id: str
    """Lower-case resource id of the machine."""
    name: str
    kind: str
    """`MicrosoftMonitoringAgent` or `OmsAgentForLinux`."""
    workspace_guid: str
    """Lower-case `settings.workspaceId`; empty where the settings do not say."""


type Row = Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A reading, or a part of one, that could not be had: what depends on it is unknown, neither found nor healthy."""

    what: str
    """What is missing, in words that a person can act on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything read for one sweep, at one time.

    A reading that failed stands in `unreadable` and its collection is empty; ask `missing` before you believe an
    empty one. Collections are keyed by lower-case resource id unless said otherwise.
    """

    now: datetime
    account: str
    """Lower-case resource id of the Automation account."""
    workspace: str
    workspace_guid: str
    """The workspace's `customerId`, under which its logs are queried."""
    subscriptions: frozenset[str]
    """Lower-case GUIDs of the subscriptions in scope: nothing outside them is ever changed."""
    machines: Mapping[str, Machine] = field(default_factory=dict)
    deployments: Mapping[str, Deployment] = field(default_factory=dict)
    runs: tuple[UpdateRun, ...] = ()
    machine_runs: tuple[MachineRun, ...] = ()
    job_outputs: Mapping[str, JobOutput] = field(default_factory=dict)
    """By the machine run's id; one that could not be had is in `unreadable` as `job:<machine run>`."""
    called: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By the id of a run: lower-case targets of all its machine runs. A run that is not here called as many machines as
    it should have; one that could not be had is in `unreadable` as `called:<run>`."""
    changes: Mapping[str, tuple[ResourceChange, ...]] = field(default_factory=dict)
    """By lower-case resource id of a machine that a dynamic query selects and the newest run did not call."""
    user_workers: tuple[UserWorker, ...] = ()
    system_groups: Mapping[str, SystemGroup] = field(default_factory=dict)
    jobs: Mapping[str, tuple[Job, ...]] = field(default_factory=dict)
    """By the id of a run: the jobs that may have been under way when it started. A run that is not here was not
    asked about."""
    usages: tuple[Usage, ...] = ()
    saved_searches: Mapping[str, SavedSearch] = field(default_factory=dict)
    log_workspace: LogWorkspace | None = None
    agents: tuple[AgentExtension, ...] = ()
    containers: Mapping[str, Container] = field(default_factory=dict)
    visible_subscriptions: Mapping[str, Subscription] = field(default_factory=dict)
    """By lower-case GUID: those in scope, and all others that the reader can see."""
    providers: Mapping[tuple[str, str], ProviderRegistration] = field(default_factory=dict)
    """By lower-case subscription and namespace."""
    rows: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    """Answers of Log Analytics, by the query's name."""
    documents: Mapping[str, Document] = field(default_factory=dict)
    """Full Resource Manager bodies of what a detector wanted a closer look at."""
    diagnoses: Mapping[str, Diagnosis | Unreadable] = field(default_factory=dict)
    """What suspects said of their inside, where probing is allowed; whoever is not here was not asked."""
    unreadable: Mapping[str, Unreadable] = field(default_factory=dict)
    """By reading, query name, document id or `provider:<subscription>/<namespace>`."""

    def missing(self, *wanted: str) -> Unreadable | None:
        """The first of `wanted` that could not be read, or None where all of them are here."""
        return next((self.unreadable[name] for name in wanted if name in self.unreadable), None)


DEPLOYMENT_TYPE: Final = "Microsoft.Automation/automationAccounts/softwareUpdateConfigurations"
VIRTUAL_MACHINE_TYPE: Final = "Microsoft.Compute/virtualMachines"
ARC_MACHINE_TYPE: Final = "Microsoft.HybridCompute/machines"


def workers_of(group: str) -> str:
    """Where the workers of a hybrid worker group are listed; as a document, `value` has all of them."""
    return f"{group}/hybridrunbookworkers"


def run_commands_of(machine: str) -> str:
    """Where the managed run commands of a machine are listed; as a document, `value` has all of them."""
    return f"{machine}/runcommands"


def containers_of(id_: str) -> tuple[str, ...]:
    """The resource group, if any, and the subscription that a lower-case resource id lies in, from the inside out."""
    parts = id_.split("/")
    found = [n for n in (5, 3) if len(parts) >= n and parts[n - 2] in {"resourcegroups", "subscriptions"}]
    return tuple("/".join(parts[:n]) for n in found)
