"""The failure states that Patchwright knows, one module each. Importing registers nothing: the list is written out."""

from __future__ import annotations

from typing import Final

from detectors.automation_rp_not_registered import AutomationRpNotRegistered
from detectors.clock_skew import ClockSkew
from detectors.cloned_machine import ClonedMachine
from detectors.cross_tenant_linked_subscription import CrossTenantLinkedSubscription
from detectors.duplicate_computer_name import DuplicateComputerName
from detectors.failed_to_enable_update_solution import FailedToEnableUpdateSolution
from detectors.hybrid_agent_event_4502 import HybridAgentEvent4502
from detectors.installed_but_not_found import InstalledButNotFound
from detectors.job_limit_reached import JobLimitReached
from detectors.kb2267602_missing import Kb2267602Missing
from detectors.linux_classification_caveat import LinuxClassificationCaveat
from detectors.linux_pending_vs_installed_differ import LinuxPendingVsInstalledDiffer
from detectors.linux_run_failed import LinuxRunFailed
from detectors.linux_worker_conflict import LinuxWorkerConflict
from detectors.machine_cannot_communicate import MachineCannotCommunicate
from detectors.machine_registered_to_different_account import MachineRegisteredToDifferentAccount
from detectors.machines_dont_install import MachinesDontInstall
from detectors.maintenance_window_exceeded import MaintenanceWindowExceeded
from detectors.no_heartbeat import NoHeartbeat
from detectors.not_assessed import NotAssessed
from detectors.not_in_dynamic_group_preview import NotInDynamicGroupPreview
from detectors.protocol import Detector
from detectors.registration_blocked import RegistrationBlocked
from detectors.schedule_missed_machines import ScheduleMissedMachines
from detectors.scope_excluded import ScopeExcluded
from detectors.selfsigned_cert_failure import SelfsignedCertFailure
from detectors.source_id_changed import SourceIdChanged
from detectors.superseded_shown_missing import SupersededShownMissing
from detectors.unexplained_reboots import UnexplainedReboots
from detectors.update_agent_error import UpdateAgentError
from detectors.updates_available_not_shown import UpdatesAvailableNotShown
from detectors.updates_solution_missing import UpdatesSolutionMissing
from detectors.updates_without_deployment import UpdatesWithoutDeployment
from detectors.vm_deleted import VmDeleted
from detectors.vm_moved import VmMoved
from detectors.vm_stopped import VmStopped
from detectors.worker_group_purged import WorkerGroupPurged
from detectors.worker_job_limit_reached import WorkerJobLimitReached
from detectors.worker_registration_forbidden import WorkerRegistrationForbidden
from detectors.worker_signalr_timeout import WorkerSignalrTimeout
from detectors.worker_unreachable import WorkerUnreachable
from detectors.workspace_not_linked import WorkspaceNotLinked
from detectors.workspace_over_quota import WorkspaceOverQuota
from detectors.wrong_workspace import WrongWorkspace

DETECTORS: Final[tuple[Detector, ...]] = (  # the order is the precedence: causes before what they bring about
    WorkspaceOverQuota(),  # explains all silent and unassessed machines at once; so do the two after it
    WorkspaceNotLinked(),
    UpdatesSolutionMissing(),
    AutomationRpNotRegistered(),  # nothing of a subscription works without it
    CrossTenantLinkedSubscription(),
    ClonedMachine(),  # clones take turns under one identity; that is not a change of identity
    DuplicateComputerName(),
    ClockSkew(),  # a wrong clock is one reason for which the service refuses a registration
    MachineRegisteredToDifferentAccount(),  # what agents say of their registration, each text in one state
    MachineCannotCommunicate(),
    SelfsignedCertFailure(),
    WorkerRegistrationForbidden(),
    WorkerSignalrTimeout(),
    FailedToEnableUpdateSolution(),
    HybridAgentEvent4502(),  # what none of those explains
    RegistrationBlocked(),  # where the agent does not even say
    VmDeleted(),  # why a machine failed to start: in the order of the tree in `failed_starts.py`
    VmMoved(),
    VmStopped(),
    WorkerUnreachable(),
    WorkerGroupPurged(),
    SourceIdChanged(),
    ScheduleMissedMachines(),  # who was not even called
    NotInDynamicGroupPreview(),
    WrongWorkspace(),  # such a machine is silent here
    NoHeartbeat(),
    ScopeExcluded(),
    NotAssessed(),
    WorkerJobLimitReached(),
    LinuxWorkerConflict(),
    JobLimitReached(),  # what none of those explains
    LinuxRunFailed(),
    LinuxClassificationCaveat(),  # what cannot be selected stays pending
    LinuxPendingVsInstalledDiffer(),
    UpdateAgentError(),  # an update that failed with a code explains a window that it used up, and runs in vain
    UpdatesWithoutDeployment(),
    UnexplainedReboots(),
    UpdatesAvailableNotShown(),
    SupersededShownMissing(),
    InstalledButNotFound(),
    Kb2267602Missing(),
    MachinesDontInstall(),  # what none of the above explains
    MaintenanceWindowExceeded(),
)
