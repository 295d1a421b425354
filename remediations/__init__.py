"""The fixes, one module each. Several for one state are tried in this order, the gentlest first."""

from __future__ import annotations

from datetime import timedelta

from remediations.advise_failed_starts import AdviseJobLimit, AdviseVmMoved, AdviseWorkerUnreachable
from remediations.protocol import Remediation
from remediations.readd_machine import ReaddMachine
from remediations.register_automation_provider import RegisterAutomationProvider
from remediations.remove_deleted_machine import RemoveDeletedMachine
from remediations.reregister_worker import ReregisterWorker
from remediations.reset_worker_key import ResetWorkerKey
from remediations.start_stopped_machine import StartStoppedMachine
from remediations.widen_maintenance_window import WidenMaintenanceWindow


def remediations(
    *, margin: timedelta, max_window: timedelta, start_tag: str = "patchwright-start"
) -> tuple[Remediation, ...]:
    """Every remediation, with the thresholds that settings may change."""
    return (
        RegisterAutomationProvider(),
        ResetWorkerKey(),
        RemoveDeletedMachine(margin=margin),
        AdviseVmMoved(),
        StartStoppedMachine(tag=start_tag),
        AdviseWorkerUnreachable(),
        ReregisterWorker(),
        ReaddMachine(margin=margin),
        AdviseJobLimit(),
        WidenMaintenanceWindow(margin=margin, maximum=max_window),
    )
