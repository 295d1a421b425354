"""Who may begin: what the guardrails need to know of runs, and the places that a run has in the ledger.

The guardrails judge what is known; a place is taken in one claim, right before the first action. So a run exceeds
neither its error budget nor its cap, however many workers are at it and however often they are told to begin.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from engine.catalogue import Catalogue, policy_of
from engine.journal import Case, Journal
from engine.leases import group_key
from engine.ports import Entry, Ledger
from engine.settings import Settings
from engine.slots import Slots
from guardrails import Attempt, Situation, StormGate, guardrails_of_the_moment, judge
from guardrails.blast_radius import BlastRadius
from guardrails.storm_gate import behind, unhealthy
from model.documents import text_at
from model.facts import Facts
from model.findings import Finding
from model.plans import Allow, Hold, Plan, Refuse
from model.states import ActionClass, FailureState, Mode, Outcome
from model.times import format_time, parse_time

_STORM: Final = "storm"
_STORM_SEEN: Final = "storm-seen"
"""When it was seen last; for people, who are told when it is over."""

type Rung = tuple[str, str]
"""A target and a remediation."""


class _Try(NamedTuple):
    """An attempt as the ledger has it."""

    run: str
    attempt: str
    at: datetime
    in_vain_until: datetime | None = None

    @property
    def written(self) -> str:
        end = [format_time(self.in_vain_until)] if self.in_vain_until else []
        return json.dumps([self.run, self.attempt, format_time(self.at), *end])

    @classmethod
    def read(cls, holder: str) -> _Try | None:
        """None for what is no attempt."""
        try:
            run, attempt, at, *end = json.loads(holder)
        except (ValueError, TypeError):
            return None
        if (began := parse_time(at)) is None:
            return None
        return cls(run=str(run), attempt=str(attempt), at=began, in_vain_until=parse_time(end[0]) if end else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run has come."""

    failures: int
    """Treatments that failed, as far as they have a place in the error budget."""
    places: frozenset[str]
    """Who has a place in the error budget."""
    tries: Mapping[str, int]
    """By finding: how many of its tries failed."""
    failed_first: frozenset[str]

    def in_flight(self, key: str) -> int:
        """Treatments beside the present try at a finding that may still fail."""
        # Begun already, by a worker that vanished or was told twice, it has its place.
        own = _own(key, self.tries.get(key, 0)) in self.places
        return max(0, len(self.places) - self.failures - own)


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What the ledger says beside one set of plans, read once for all of them."""

    now: datetime
    run: str
    unhealthy: frozenset[str]
    behind: Mapping[str, int | None]
    storm_ends: datetime | None
    treated: Mapping[str, str]
    groups: Mapping[str, str]
    tried: Mapping[Rung, tuple[Attempt, ...]]
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Decides with the guardrails, and remembers in the ledger."""

    settings: Settings
    catalogue: Catalogue
    journal: Journal

    @property
    def ledger(self) -> Ledger:
        return self.journal.ledger

    @property
    def _mendable(self) -> frozenset[FailureState]:
        """The states that a remediation may change something about."""
        acting = (one for one in self.catalogue.remediations if one.action_class is not ActionClass.ADVISE)
        return frozenset(one.fixes for one in acting)

    # What is known

    def background(self, run: str, attempt: str, plans: Sequence[Plan], findings: Iterable[Finding]) -> Background:
        """Everything that is known of runs, for judging these plans; `findings` are all that were found with them."""
        now = self.journal.clock.now()
        groups = {group_key(plan.group): plan.group for plan in plans if plan.group}
        findings = list(findings)
        held = self.ledger.holders([f"treated:{plan.finding.key}" for plan in plans] + [*groups], now)
        return Background(
            now=now,
            run=run,
            unhealthy=unhealthy(findings, self._mendable),
            behind=behind(findings),
            storm_ends=self._storm_ends(now),
            treated={p.finding.key: who for p in plans if (who := held.get(f"treated:{p.finding.key}", run)) != run},
            groups={group: who for key, group in groups.items() if (who := held.get(key, attempt)) != attempt},
            tried=self.tried((plan.finding.target, plan.remediation) for plan in plans),
            progress=self._progress(run, attempt, now),
        )

    def situation(
        self, plan: Plan, known: Background, facts: Facts, *, by_person: bool, touched: frozenset[str]
    ) -> Situation:
        """What the guardrails may know when they judge one plan."""
        key, state = plan.finding.key, plan.finding.state
        other = known.treated.get(key, "")
        return Situation(
            facts=facts,
            mode=self.settings.mode(state),
            by_person=by_person,
            now=known.now,
            run=known.run,
            touched=touched,
            in_treatment_by=other,
            in_treatment_until=self._due(other, key) if other else None,
            attempts=known.tried.get((plan.finding.target, plan.remediation), ()),
            group_in_treatment_by=known.groups.get(plan.group, ""),
            from_logs=self.catalogue.from_logs(state),
            unhealthy=known.unhealthy & facts.machines.keys(),
            behind=known.behind,
            storm_ends=known.storm_ends,
            failures=known.progress.failures,
            in_flight=known.progress.in_flight(key),
            failed_first=known.progress.failed_first,
        )

    def tried(self, rungs: Iterable[Rung]) -> dict[Rung, tuple[Attempt, ...]]:
        """The latest attempts at these targets with these remediations."""
        keys = {key: rung for rung in set(rungs) for key in self._attempt_keys(rung)}
        found: dict[Rung, tuple[Attempt, ...]] = {}
        for key, holder in self.ledger.holders([*keys], self.journal.clock.now()).items():
            if one := _Try.read(holder):
                attempt = Attempt(run=one.run, at=one.at, in_vain_until=one.in_vain_until)
                found[keys[key]] = (*found.get(keys[key], ()), attempt)
        return found

    def attempts(self, findings: Iterable[Finding]) -> dict[Rung, tuple[Attempt, ...]]:
        """The latest attempts at every rung of the findings' ladders."""
        return self.tried((f.target, rung.id) for f in findings for rung in self.catalogue.fixing(f.state))

    def saw(self, findings: Iterable[Finding], facts: Facts) -> None:
        """Remember a storm, where this is one."""
        findings = list(findings)
        counts = [len(unhealthy(findings, self._mendable) & facts.machines.keys()), *behind(findings).values()]
        gate, now = StormGate(percent=self.settings.storm_percent, cool_down=self.settings.storm_cool_down), facts.now
        if gate.storm(max(count or 0 for count in counts), len(facts.machines)):
            until = now + self.settings.storm_cool_down
            self.ledger.claim(_STORM, _STORM, now, until)
            if seen := self.ledger.holders([_STORM_SEEN], now).get(_STORM_SEEN):
                self.ledger.release(_STORM_SEEN, seen)
            self.ledger.claim(_STORM_SEEN, format_time(now), now, until)

    def _storm_ends(self, now: datetime) -> datetime | None:
        held = self.ledger.holders([_STORM, _STORM_SEEN], now)
        if _STORM not in held:
            return None
        return (parse_time(held.get(_STORM_SEEN)) or now) + self.settings.storm_cool_down

    def _progress(self, run: str, attempt: str, now: datetime) -> Progress:
        """What the ledger says of a run's treatments; of what failed first, in this attempt.

        Who tries again after a failure has looked at it: a new attempt has a canary of its own.
        """
        places = frozenset(self._budget(run).taken(now).values())
        entries = self.ledger.entries(run, kinds=frozenset({"outcome", "applied"}))
        failed = [e for e in entries if e.body.get("outcome") == Outcome.FAILED]
        ineffective = sum(e.body.get("outcome") == Outcome.INEFFECTIVE for e in entries)
        went_through = {text_at(e.body, "remediation") for e in entries if e.kind == "applied"}
        at_once = {text_at(e.body, "remediation") for e in failed if e.id == f"outcome:{attempt}:{e.about}"}
        return Progress(
            failures=min(len(places), len(failed) + ineffective),
            places=places,
            tries=Counter(entry.about for entry in failed),
            failed_first=frozenset(at_once - went_through),
        )

    def _due(self, run: str, key: str) -> datetime | None:
        """When the treatment of a finding by another run is verified."""
        lines = self.ledger.entries(run, about=key, kinds=frozenset({"applied", "relook"}))
        return parse_time(lines[-1].body.get("due")) if lines else None

    # The cap

    def touched(self, run: str, facts: Facts) -> frozenset[str]:
        """The machines that this run's treatments touch already."""
        return frozenset(self._cap(run, facts).taken(self.journal.clock.now()).values())

    def reach(self, run: str, machines: frozenset[str], facts: Facts) -> Hold | None:
        """Take a place under the cap for each machine; a place is never given back."""
        cap = self._cap(run, facts)
        if cap.take(machines, self.journal.clock.now()):
            return None
        return Hold(guardrail="blast-radius", reason=f"a run touches at most {cap.most} machines")

    def _cap(self, run: str, facts: Facts) -> Slots:
        belt = BlastRadius(machines=self.settings.max_machines, percent=self.settings.max_percent)
        return Slots(ledger=self.ledger, name=f"reach:{run}", most=belt.most(facts))

    # Beginning and ending

    def begin(self, case: Case, attempt: str, looked: datetime) -> Hold | Refuse | None:
        """Right before the first action: judge once more what an hour can change, and take a place in the error budget.

        `looked` is when the facts were read that the plan was compared with. None where the treatment begins.
        """
        now, budget = self.journal.clock.now(), self._budget(case.run)
        progress = self._progress(case.run, attempt, now)
        moment = Situation(
            facts=Facts(now=looked, account="", workspace="", workspace_guid="", subscriptions=frozenset()),
            mode=Mode.ACT,
            by_person=True,
            now=now,
            run=case.run,
            failures=progress.failures,
            in_flight=progress.in_flight(case.key),
            failed_first=progress.failed_first,
        )
        verdict = judge(case.plan, moment, guardrails_of_the_moment(policy_of(self.settings)))
        if not isinstance(verdict, Allow):
            return verdict
        if not budget.take([_own(case.key, case.number)], now):
            return Hold(guardrail="error-budget", reason="another treatment took the last place in the error budget")
        self._count_attempt(case, attempt, now)
        return None

    def ended(self, case: Case, *, failed: bool) -> None:
        """A treatment has no step left to do: one that failed keeps its place in the budget."""
        if not failed:
            self._budget(case.run).give_back(_own(case.key, case.number), self.journal.clock.now())

    def applied(self, case: Case, due: datetime) -> None:
        """Until it is verified, and a while longer, no other run treats the finding."""
        self.ledger.claim(f"treated:{case.key}", case.run, self.journal.clock.now(), due + self.settings.cool_down)

    def verified(self, run: str, plan: Plan, *, helped: bool) -> None:
        """It is known whether it helped.

        What did not counts as a failure from now on, as far as there is a place, and as tried in vain.
        """
        key, now = plan.finding.key, self.journal.clock.now()
        if not helped:
            self._budget(run).take([f"{key}#ineffective"], now)
            self._tried_in_vain(run, plan, now)
        self.ledger.release(f"treated:{key}", run)

    def _budget(self, run: str) -> Slots:
        return Slots(ledger=self.ledger, name=f"budget:{run}", most=self.settings.error_budget)

    def _count_attempt(self, case: Case, attempt: str, now: datetime) -> None:
        rung = (case.plan.finding.target, case.plan.remediation)
        keys = self._attempt_keys(rung)
        held = self.ledger.holders(keys, now)
        if any(one.attempt == attempt for holder in held.values() if (one := _Try.read(holder))):
            return
        until = now + max(self.settings.attempts_within, self.settings.cool_down)
        self._remember(_Try(run=case.run, attempt=attempt, at=now), keys, held, now, until)

    def _tried_in_vain(self, run: str, plan: Plan, now: datetime) -> None:
        """The attempt counts for longer; it may be days old, where its effect shows in a machine's next run only."""
        keys = self._attempt_keys((plan.finding.target, plan.remediation))
        held = dict(self.ledger.holders(keys, now))
        own = {key: one for key, holder in held.items() if (one := _Try.read(holder)) and one.run == run}
        key = max(own, key=lambda key: own[key].at, default="")
        if key and own[key].in_vain_until:
            # Told a second time.
            return
        if key:
            self.ledger.release(key, held.pop(key))
        tried = own[key] if key else _Try(run=run, attempt="", at=self._applied_at(run, plan) or now)
        # A repair whose effect shows once a month has its second verdict a month after the first.
        until = now + self.settings.ineffective_within + (now - tried.at)
        self._remember(tried._replace(in_vain_until=until), keys, held, now, until)

    def _remember(
        self, tried: _Try, keys: Sequence[str], held: Mapping[str, str], now: datetime, until: datetime
    ) -> None:
        """Write an attempt down where there is room, else in the place of the one that ceases to count first."""
        key = next((key for key in keys if key not in held), "")
        if not key:
            # As a rule it does not count any more, and is kept for the cool-down only.
            key = min(held, key=lambda key: self._counts_until(held[key]) or now)
            self.ledger.release(key, held[key])
        self.ledger.claim(key, tried.written, now, until)

    def _counts_until(self, holder: str) -> datetime | None:
        if (one := _Try.read(holder)) is None:
            return None
        attempt = Attempt(run=one.run, at=one.at, in_vain_until=one.in_vain_until)
        return attempt.counts_until(self.settings.attempts_within)

    def _applied_at(self, run: str, plan: Plan) -> datetime | None:
        lines = self.ledger.entries(run, about=plan.finding.key, kinds=frozenset({"applied"}))
        return lines[-1].at if lines else None

    def _attempt_keys(self, rung: Rung) -> list[str]:
        target, remediation = rung
        return [f"attempt:{target}:{remediation}:{number}" for number in range(self.settings.attempts)]


def looked_at(entries: Iterable[Entry], attempt: str) -> datetime | None:
    """When an attempt last looked at a finding before it treated it."""
    return max((e.at for e in entries if e.kind == "treatment" and e.body.get("by") == attempt), default=None)


def _own(key: str, number: int) -> str:
    """A try's name in the error budget: each try that fails has a place of its own."""
    return f"{key}#{number}"
