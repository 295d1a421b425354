"""The vocabulary of failure states and of what may be done about them."""

from __future__ import annotations

from enum import StrEnum


class FailureState(StrEnum):
    """A known way in which patching fails. The values are stable names that alert rules and settings use."""

    AUTOMATION_RP_NOT_REGISTERED = "automation-rp-not-registered"
    CLONED_MACHINE = "cloned-machine"
    MAINTENANCE_WINDOW_EXCEEDED = "maintenance-window-exceeded"
    SOURCE_ID_CHANGED = "source-id-changed"


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
