"""The vocabulary of failure states and of what may be done about them."""

from __future__ import annotations

from enum import StrEnum


class FailureState(StrEnum):
    """A known way in which patching fails. The values are stable names that alert rules and settings use."""

    AUTOMATION_RP_NOT_REGISTERED = "automation-rp-not-registered"
    CLOCK_SKEW = "clock-skew"
    CLONED_MACHINE = "cloned-machine"
    CROSS_TENANT_LINKED_SUBSCRIPTION = "cross-tenant-linked-subscription"
    DUPLICATE_COMPUTER_NAME = "duplicate-computer-name"
    FAILED_TO_ENABLE_UPDATE_SOLUTION = "failed-to-enable-update-solution"
    HYBRID_AGENT_EVENT_4502 = "hybrid-agent-event-4502"
    INSTALLED_BUT_NOT_FOUND = "installed-but-not-found"
    JOB_LIMIT_REACHED = "job-limit-reached"
    KB2267602_MISSING = "kb2267602-missing"
    LINUX_CLASSIFICATION_CAVEAT = "linux-classification-caveat"
    LINUX_PENDING_VS_INSTALLED_DIFFER = "linux-pending-vs-installed-differ"
    LINUX_RUN_FAILED = "linux-run-failed"
    LINUX_WORKER_CONFLICT = "linux-worker-conflict"
    MACHINES_DONT_INSTALL = "machines-dont-install"
    MACHINE_CANNOT_COMMUNICATE = "machine-cannot-communicate"
    MACHINE_REGISTERED_TO_DIFFERENT_ACCOUNT = "machine-registered-to-different-account"
    MAINTENANCE_WINDOW_EXCEEDED = "maintenance-window-exceeded"
    NOT_ASSESSED = "not-assessed"
    NOT_IN_DYNAMIC_GROUP_PREVIEW = "not-in-dynamic-group-preview"
    NO_HEARTBEAT = "no-heartbeat"
    REGISTRATION_BLOCKED = "registration-blocked"
    SCHEDULE_MISSED_MACHINES = "schedule-missed-machines"
    SCOPE_EXCLUDED = "scope-excluded"
    SELFSIGNED_CERT_FAILURE = "selfsigned-cert-failure"
    SOURCE_ID_CHANGED = "source-id-changed"
    SUPERSEDED_SHOWN_MISSING = "superseded-shown-missing"
    UNEXPLAINED_REBOOTS = "unexplained-reboots"
    UPDATES_AVAILABLE_NOT_SHOWN = "updates-available-not-shown"
    UPDATES_SOLUTION_MISSING = "updates-solution-missing"
    UPDATES_WITHOUT_DEPLOYMENT = "updates-without-deployment"
    UPDATE_AGENT_ERROR = "update-agent-error"
    VM_DELETED = "vm-deleted"
    VM_MOVED = "vm-moved"
    VM_STOPPED = "vm-stopped"
    WORKER_GROUP_PURGED = "worker-group-purged"
    WORKER_JOB_LIMIT_REACHED = "worker-job-limit-reached"
    WORKER_REGISTRATION_FORBIDDEN = "worker-registration-forbidden"
    WORKER_SIGNALR_TIMEOUT = "worker-signalr-timeout"
    WORKER_UNREACHABLE = "worker-unreachable"
    WORKSPACE_NOT_LINKED = "workspace-not-linked"
    WORKSPACE_OVER_QUOTA = "workspace-over-quota"
    WRONG_WORKSPACE = "wrong-workspace"


class Mode(StrEnum):
    """How far Patchwright goes for one failure state; set by `PATCHWRIGHT_MODES`."""

    OFF = "off"
    """Not looked for."""
    OBSERVE = "observe"
    """Found, planned and reported; never applied, whoever asks."""
    ASK = "ask"
    """Applied when a person applies the saved plan; never by a sweep of its own accord."""
    ACT = "act"
    """Applied by sweeps that are not a dry run."""


class Impact(StrEnum):
    """What a person would ask before saying yes, from harmless to noticed."""

    READ_ONLY = "read-only"
    ADDITIVE = "additive"
    """Adds what does no harm and is not taken away again."""
    REVERSIBLE = "reversible"
    """Noticed by nobody but auditors, and can be put back."""
    DISRUPTIVE = "disruptive"
    """Something stops or loses its identity for a while."""


class ActionClass(StrEnum):
    """Who has to have said yes to a remediation before it may be applied without a person."""

    AUTO = "auto"
    """Nobody: it is idempotent and cheap to undo, so the mode of the failure state decides alone."""
    OPT = "opt"
    """The operator, by `PATCHWRIGHT_OPT_IN`: it costs money, downtime, security or data."""
    ADVISE = "advise"
    """It changes nothing: a person is told what to do."""


class Outcome(StrEnum):
    """How one finding of one run ended."""

    OBSERVED = "observed"
    """Reported; nothing was to be done by Patchwright."""
    REMEDIATED = "remediated"
    """Applied, and the detector does not find it any more."""
    INEFFECTIVE = "ineffective"
    """Applied, and the detector still finds it, or cannot tell."""
    FAILED = "failed"
    """A step failed; what had been changed before it is in the record."""
    HELD = "held"
    REFUSED = "refused"
    DECLINED = "declined"
    """The remediation has no safe plan for this one; a person gets advice."""
    STALE = "stale"
    """The world is no longer the one that the plan was made from; the reason names the field."""
    UNDONE = "undone"
