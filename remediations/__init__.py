"""The fixes, one module each. Several for one state are tried in this order, the gentlest first."""

from __future__ import annotations

from datetime import timedelta

from remediations.protocol import Remediation
from remediations.readd_machine import ReaddMachine
from remediations.register_automation_provider import RegisterAutomationProvider
from remediations.reset_worker_key import ResetWorkerKey
from remediations.widen_maintenance_window import WidenMaintenanceWindow


def remediations(*, margin: timedelta, max_window: timedelta) -> tuple[Remediation, ...]:
    """Every remediation, with the thresholds that settings may change."""
    return (
        RegisterAutomationProvider(),
        ResetWorkerKey(),
        ReaddMachine(margin=margin),
        WidenMaintenanceWindow(margin=margin, maximum=max_window),
    )
