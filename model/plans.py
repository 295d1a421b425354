"""A plan is a value: ordered steps, each with the exact request it will make, its before and its after.

A dry run shows a plan and an apply executes that plan; both compare plans with `==` or field by field, never by reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from model.documents import Document
from model.findings import Finding
from model.states import Impact


@dataclass(frozen=True, slots=True, kw_only=True)
class PutDeployment:
    """Replace a software update configuration: PUT replaces all, so `after` is the whole body.

    `before` is the body as it was read. What the service itself writes (times, `provisioningState`) is in `before`
    and not in `after`.
    """

    deployment: str
    """Resource id in Azure's spelling."""
    before: Document
    after: Document
    restores: bool = False
    """True where leaving the step out would leave a machine unpatched: it is retried until it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PutSavedSearch:
    """Replace the query of a saved search, under its ETag."""

    saved_search: str
    before: Document
    after: Document
    restores: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunScript:
    """Send one of our scripts to a machine by managed Run Command."""

    machine: str
    """Resource id in Azure's spelling."""
    location: str
    script: str
    """Path below `remediations/scripts/`; the text is never assembled."""
    parameters: Mapping[str, str]
    undo_script: str | None = None
    time_out: timedelta = timedelta(minutes=10)


def run_command_name(step_id: str) -> str:
    """The managed run command that a step sends: derived, so that a repeat finds what it already sent.

    Arc allows 36 characters.
    """
    return f"pw-{hashlib.sha256(step_id.encode()).hexdigest()[:24]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitIdentity:
    """Wait until a machine beats with another `SourceComputerId`; only reads."""

    machine: str
    workspace_guid: str
    not_source_computer_id: str
    time_out: timedelta = timedelta(minutes=45)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterProvider:
    """Register a resource provider in a subscription."""

    subscription: str
    namespace: str
    state_before: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartMachine:
    """Start an Azure VM; its owner pays for it from then on."""

    machine: str
    """Resource id in Azure's spelling."""
    power_before: str
    """`stopped` or `deallocated`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetDailyQuota:
    """Change how much a Log Analytics workspace takes in a day; its owner pays for what it takes."""

    workspace: str
    """Resource id in Azure's spelling."""
    gb_before: float
    gb_after: float
    """Always a limit: -1, which is none, is never set."""


type Step = PutDeployment | PutSavedSearch | RunScript | AwaitIdentity | RegisterProvider | StartMachine | SetDailyQuota


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitedRun:
    """A deployment's run that shows whether a fix has helped."""

    deployment: str
    """Lower-case resource id."""
    begins: datetime
    shown: timedelta
    """How long after its beginning what came of it is there to be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """When to look whether it helped: `after` the last step, and not before a given time, whichever is later."""

    after: timedelta
    not_before: datetime | None = None
    why: str
    runs: tuple[AwaitedRun, ...] = ()
    """What `not_before` was worked out from, where runs show it."""

    @classmethod
    def after_runs(cls, after: timedelta, runs: Iterable[AwaitedRun], why: str) -> Settle:
        """When the last of the runs shows it; right `after` the last step where there is none."""
        awaited = tuple(runs)
        last = max((run.begins + run.shown for run in awaited), default=None)
        return cls(after=after, not_before=last, why=why, runs=awaited)

    def missed(self, applied: datetime) -> tuple[AwaitedRun, ...]:
        """The runs that had begun before the last step was done: they show the world as it was before."""
        return tuple(run for run in self.runs if run.begins < applied)

    def due(self, applied: datetime) -> datetime:
        """The time of the verifying look."""
        ready = applied + self.after
        return max(ready, self.not_before) if self.not_before else ready


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one remediation would do about one finding."""

    finding: Finding
    remediation: str
    impact: Impact
    reason: str
    """Why this is the right thing to do, for the person who reads the plan."""
    steps: tuple[Step, ...]
    settle: Settle
    risk: str = ""
    """What a person should know before saying yes."""
    group: str = ""
    """Treatments that share a group go one at a time, each after a new look; empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What a person has to do, exactly: this machine, this deployment, this setting."""

    finding: Finding
    summary: str
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """The remediation has no safe plan for this finding, and says why; a person gets the advice."""

    finding: Finding
    remediation: str
    reason: str
    advice: Advice


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """No guardrail objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Not now: `until` is when to look again, None where only a person can change it."""

    guardrail: str
    reason: str
    until: datetime | None = None
    also: tuple[str, ...] = ()
    """What other guardrails object to, each with its reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Not without a person changing something first."""

    guardrail: str
    reason: str
    also: tuple[str, ...] = ()


type Verdict = Allow | Hold | Refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """A plan and what the guardrails say of it."""

    id: str
    """Derived from the run and the finding: the same however often it is computed."""
    plan: Plan
    verdict: Verdict = field(default_factory=Allow)
