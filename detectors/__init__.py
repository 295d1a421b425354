"""The failure states that Patchwright knows, one module each. Importing registers nothing: the list is written out."""

from __future__ import annotations

from typing import Final

from detectors.automation_rp_not_registered import AutomationRpNotRegistered
from detectors.cloned_machine import ClonedMachine
from detectors.installed_but_not_found import InstalledButNotFound
from detectors.job_limit_reached import JobLimitReached
from detectors.kb2267602_missing import Kb2267602Missing
from detectors.linux_classification_caveat import LinuxClassificationCaveat
from detectors.linux_pending_vs_installed_differ import LinuxPendingVsInstalledDiffer
from detectors.linux_run_failed import LinuxRunFailed
from detectors.machines_dont_install import MachinesDontInstall
from detectors.maintenance_window_exceeded import MaintenanceWindowExceeded
from detectors.protocol import Detector
from detectors.source_id_changed import SourceIdChanged
from detectors.superseded_shown_missing import SupersededShownMissing
from detectors.unexplained_reboots import UnexplainedReboots
from detectors.update_agent_error import UpdateAgentError
from detectors.updates_available_not_shown import UpdatesAvailableNotShown
from detectors.updates_without_deployment import UpdatesWithoutDeployment
from detectors.vm_deleted import VmDeleted
from detectors.vm_moved import VmMoved
from detectors.vm_stopped import VmStopped
from detectors.worker_group_purged import WorkerGroupPurged
from detectors.worker_unreachable import WorkerUnreachable

DETECTORS: Final[tuple[Detector, ...]] = (  # the order is the precedence: causes before what they bring about
    AutomationRpNotRegistered(),  # nothing of a subscription works without it
    ClonedMachine(),  # clones take turns under one identity; that is not a change of identity
    VmDeleted(),  # why a machine failed to start: in the order of the tree in `failed_starts.py`
    VmMoved(),
    VmStopped(),
    WorkerUnreachable(),
    WorkerGroupPurged(),
    SourceIdChanged(),
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
