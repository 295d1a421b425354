"""The fixes, one module each. Several for one state are tried in this order, the gentlest first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from model.states import ActionClass
from remediations.add_to_scope import AddToScope
from remediations.advise_dynamic_groups import AdviseNotInDynamicGroupPreview, AdviseScheduleMissedMachines
from remediations.advise_failed_starts import AdviseJobLimit
from remediations.advise_linux_pending import AdviseLinuxPending
from remediations.advise_linux_run_failed import AdviseLinuxRunFailed
from remediations.advise_updates import (
    AdviseInstalledButNotFound,
    AdviseMachinesDontInstall,
    AdviseSupersededShownMissing,
    AdviseUpdatesAvailableNotShown,
)
from remediations.advise_workers import (
    AdviseCrossTenant,
    AdviseDuplicateName,
    AdviseFailedToEnable,
    AdviseHybridAgentEvent4502,
    AdviseLinuxWorkerConflict,
    AdviseRegisteredElsewhere,
    AdviseRegistrationBlocked,
    AdviseRegistrationForbidden,
    AdviseSignalrTimeout,
    AdviseWorkerJobLimit,
)
from remediations.advise_workspace import AdviseUpdatesSolutionMissing, AdviseWorkspaceNotLinked, AdviseWrongWorkspace
from remediations.clean_package_cache import CleanPackageCache
from remediations.clear_agent_cache import AdviseSilentAgent, ClearAgentCache
from remediations.configure_packages import ConfigurePackages
from remediations.enable_agent import EnableAgent
from remediations.enable_tls12 import EnableTls12
from remediations.exclude_kb import ExcludeKb
from remediations.exclude_package import ExcludePackage
from remediations.fix_dependencies import FixDependencies
from remediations.free_update_cache import FreeUpdateCache
from remediations.grant_machine_keys import GrantMachineKeys
from remediations.grant_update_store import GrantUpdateStore
from remediations.include_all_classifications import IncludeAllClassifications
from remediations.protocol import Remediation
from remediations.raise_daily_cap import RaiseDailyCap
from remediations.readd_machine import ReaddMachine
from remediations.rebuild_rpmdb import RebuildRpmdb
from remediations.refresh_metadata import RefreshMetadata
from remediations.register_automation_provider import RegisterAutomationProvider
from remediations.remove_deleted_machine import RemoveDeletedMachine
from remediations.replace_moved_machine import ReplaceMovedMachine
from remediations.reregister_group_members import ReregisterGroupMembers
from remediations.reregister_worker import ReregisterWorker
from remediations.rescan_updates import RescanUpdates
from remediations.reset_update_store import ResetUpdateStore
from remediations.reset_worker_key import ResetWorkerKey
from remediations.restart_agent import RestartAgentToAssess, RestartSilentAgent
from remediations.restart_unreachable_worker import RestartUnreachableWorker
from remediations.resync_clock import ResyncClock
from remediations.set_au_options import SetAuOptions
from remediations.set_reboot_policy import SetRebootPolicy
from remediations.set_wsus_server import SetWsusServer
from remediations.start_stopped_machine import StartStoppedMachine
from remediations.start_update_service import StartUpdateService
from remediations.update_signatures import UpdateSignatures
from remediations.widen_maintenance_window import WidenMaintenanceWindow

ONLY_IN_WINDOW: Final = frozenset({ConfigurePackages.id, FixDependencies.id})
"""Those that may restart services, so that they are applied inside a maintenance window only."""


def remediations(
    *,
    margin: timedelta,
    max_window: timedelta,
    start_tag: str = "patchwright-start",
    quota_step_gb: float = 1,
    quota_ceiling_gb: float = 5,
    cloud: str = "public",
    wsus_server: str = "",
) -> tuple[Remediation, ...]:
    """Every remediation, with the thresholds that settings may change."""
    return (
        RegisterAutomationProvider(),
        RaiseDailyCap(step_gb=quota_step_gb, ceiling_gb=quota_ceiling_gb),
        AdviseWorkspaceNotLinked(),
        AdviseUpdatesSolutionMissing(),
        AdviseWrongWorkspace(),
        AddToScope(),
        RestartSilentAgent(),
        ClearAgentCache(),
        EnableAgent(),
        AdviseSilentAgent(),
        RestartAgentToAssess(),
        AdviseCrossTenant(),
        ResetWorkerKey(),
        AdviseDuplicateName(),
        ResyncClock(),
        AdviseRegisteredElsewhere(),
        EnableTls12(cloud=cloud),
        GrantMachineKeys(),
        AdviseRegistrationForbidden(),
        AdviseSignalrTimeout(cloud=cloud),
        AdviseFailedToEnable(cloud=cloud),
        AdviseHybridAgentEvent4502(),
        AdviseRegistrationBlocked(cloud=cloud),
        AdviseWorkerJobLimit(),
        AdviseLinuxWorkerConflict(),
        RemoveDeletedMachine(margin=margin),
        ReplaceMovedMachine(margin=margin),
        StartStoppedMachine(tag=start_tag),
        RestartUnreachableWorker(),
        ReregisterWorker(),
        ReaddMachine(margin=margin),
        AdviseScheduleMissedMachines(),
        AdviseNotInDynamicGroupPreview(),  # declines, in words for every cause; the next has a plan for one
        ReregisterGroupMembers(),
        AdviseJobLimit(),
        AdviseLinuxRunFailed(),  # declines, in words for every cause; those that follow have a plan for one each
        CleanPackageCache(),
        RefreshMetadata(),
        ConfigurePackages(),
        FixDependencies(),
        RebuildRpmdb(),
        ExcludePackage(margin=margin),
        IncludeAllClassifications(margin=margin),
        AdviseLinuxPending(),
        RescanUpdates(),  # changes no setting; says what a person has to do about every code without a repair
        StartUpdateService(),
        SetWsusServer(server=wsus_server),
        FreeUpdateCache(),
        GrantUpdateStore(),
        ResetUpdateStore(),
        SetAuOptions(),
        SetRebootPolicy(),
        AdviseUpdatesAvailableNotShown(),
        AdviseSupersededShownMissing(),
        AdviseInstalledButNotFound(),
        UpdateSignatures(),
        AdviseMachinesDontInstall(),  # declines; the next has a plan where single updates are at fault
        ExcludeKb(margin=margin),
        WidenMaintenanceWindow(margin=margin, maximum=max_window),
    )


def action_classes() -> Mapping[str, ActionClass]:
    """Who has to have said yes to each remediation, by its id."""
    return {one.id: one.action_class for one in remediations(margin=timedelta(0), max_window=timedelta(0))}
