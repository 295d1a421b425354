"""Plans that put back what a run changed, made from what its ledger recorded and from what is there now; pure.

A deployment or a saved search is put back where it still is what the run left: whoever has changed it since would lose
that change, so such a plan is refused and names the field. Of a machine's inside only the script that undoes knows
whether it is as it was left; it looks at its own record first, and refuses otherwise.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from engine.compare import target_of
from engine.ports import Entry
from model.deployments import body_to_put, same_deployment, start_of, with_start
from model.documents import Change, Document, Json, at, differences, text_at
from model.facts import Facts
from model.plans import (
    Advice,
    Allow,
    AwaitIdentity,
    Declined,
    Hold,
    Plan,
    PutDeployment,
    PutSavedSearch,
    Refuse,
    RegisterProvider,
    RunScript,
    SetDailyQuota,
    Settle,
    StartMachine,
    Step,
    Verdict,
)
from model.resource_ids import ResourceId
from model.states import Impact
from remediations.deployment_edits import Editable, editable
from remediations.undo_scripts import CHANGE_NOTHING, undoing

MOVED_ON: Final = "moved-on"
"""The guardrail that refuses where the world is not what the run left."""
_START: Final = "properties.scheduleInfo.startTime"
_QUOTA: Final = "properties.workspaceCapping.dailyQuotaGb"
_SETTLE: Final = Settle(after=timedelta(0), why="what is there is compared with what was recorded before")


@dataclass(frozen=True, slots=True, kw_only=True)
class DoneStep:
    """A step that a run did, or may have done: its beginning is recorded and its end is not."""

    step: Step
    result: Document
    certain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Treated:
    """What a run did about one finding, in order."""

    plan: Plan
    steps: tuple[DoneStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """How one finding's treatment would be undone, and what stands against it."""

    plan: Plan
    objection: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class AsItWas:
    """There is nothing to put back: everything is what it was before the run. The plan has no steps."""

    plan: Plan


type Answer = Undo | AsItWas | Declined


def treated(plans: Mapping[str, Plan], steps: Iterable[Entry]) -> list[Treated]:
    """What a run did, the last thing first: undoing goes backwards. `steps` are the ledger's lines about steps."""
    done: dict[str, dict[tuple[Json, Json], DoneStep]] = {}
    order: list[str] = []
    for entry in steps:
        plan, index = plans.get(entry.about), entry.body.get("index")
        if plan is None or not isinstance(index, int) or not 0 <= index < len(plan.steps):
            continue
        event, mine, place = entry.body.get("event"), done.setdefault(entry.about, {}), (entry.body.get("try"), index)
        if event == "done":
            result = entry.body.get("result")
            # In the order of their ends.
            mine.pop(place, None)
            mine[place] = DoneStep(
                step=plan.steps[index], result=result if isinstance(result, dict) else {}, certain=True
            )
            order = [*(key for key in order if key != entry.about), entry.about]
        elif event == "began":
            mine.setdefault(place, DoneStep(step=plan.steps[index], result={}, certain=False))
            if entry.about not in order:
                order.append(entry.about)
        elif "stale" in entry.body or text_at(entry.body, "result.outcome") == "refused":
            # Seen to differ before anything was changed, by the hand that writes or by the script itself.
            mine.pop(place, None)
    found = [Treated(plan=plans[key], steps=tuple(done[key].values())) for key in reversed(order) if done[key]]
    return [one for one in found if not all(isinstance(each.step, AwaitIdentity) for each in one.steps)]


def documents_of(treatments: Iterable[Treated]) -> frozenset[str]:
    """The lower-case ids of everything that has to be read to undo these: what was changed as a document."""
    kinds = PutDeployment | PutSavedSearch | SetDailyQuota
    return frozenset(target_of(each.step) for one in treatments for each in one.steps if isinstance(each.step, kinds))


def left_behind(step: Step, result: Document) -> Document | None:
    """The body that a done step has left at its target; None for one that leaves no document."""
    match step:
        case PutDeployment():
            moved = text_at(result, "startMovedTo")
            return with_start(step.after, moved) if moved else step.after
        case PutSavedSearch():
            return step.after
        case _:
            return None


def undo_plans(
    treatments: Sequence[Treated], facts: Facts, run: str, margin: timedelta, ours: Mapping[str, Document]
) -> list[Answer]:
    """How each treatment would be undone, in this order: each is planned for the world that those before it leave.

    `run` is the run that is undone. `facts` has the documents that `documents_of` names. No deployment is edited when
    its next run is nearer than `margin`. `ours` is what the undo itself has put where, by lower-case resource id.
    """
    there = {id_: body for id_, body in ours.items() if same_deployment(body, facts.documents.get(id_, {})) is None}
    return [_Undoing(one, facts, run, margin, there).answer() for one in treatments]


class _Undoing:
    """One treatment on its way back."""

    def __init__(
        self, treatment: Treated, facts: Facts, run: str, margin: timedelta, there: dict[str, Document]
    ) -> None:
        """`there`: what the undo itself has put there, and what its plans so far would leave; this one adds to it."""
        self._treatment, self._facts, self._run, self._margin, self._there = treatment, facts, run, margin, there
        self._steps: list[Step] = []
        self._kept: list[str] = []
        """In words, what stays as the run left it."""
        self._objection: Hold | Refuse | None = None

    def answer(self) -> Answer:
        of_target: dict[str, list[DoneStep]] = {}
        for done in self._treatment.steps:
            if isinstance(done.step, PutDeployment | PutSavedSearch):
                of_target.setdefault(target_of(done.step), []).append(done)
        left: dict[str, Document] = {}
        for done in reversed(self._treatment.steps):
            match done.step:
                case PutDeployment() | PutSavedSearch():
                    # All edits of one document are undone by one: back to what it was before the first of them.
                    if mine := of_target.pop(target_of(done.step), []):
                        self._document(mine, left)
                case RunScript():
                    self._script(done.step, done)
                case SetDailyQuota():
                    self._quota(done.step)
                case RegisterProvider():
                    self._kept.append(f"{done.step.namespace} stays registered")
                case StartMachine():
                    name = ResourceId.parse(done.step.machine).name
                    self._kept.append(f"{name} keeps running, since somebody may be using it: stop it by hand")
                case AwaitIdentity():
                    pass
        if self._objection is None:
            self._there.update(left)
        return self._answer()

    def _answer(self) -> Answer:
        treatment, kept = self._treatment.plan, "; ".join(self._kept)
        finding, remediation = treatment.finding, f"undo-{treatment.remediation}"
        plan = Plan(
            finding=finding,
            remediation=remediation,
            impact=Impact.DISRUPTIVE if any(isinstance(s, RunScript) for s in self._steps) else Impact.REVERSIBLE,
            reason=f"Puts back what run {self._run} changed, as it was recorded before.",
            steps=tuple(self._steps),
            settle=_SETTLE,
            risk=f"Not undone: {kept}." if kept else "",
        )
        if self._steps or self._objection:
            return Undo(plan=plan, objection=self._objection or Allow())
        if kept:
            advice = Advice(finding=finding, summary=f"{finding.name}: {kept}")
            return Declined(finding=finding, remediation=remediation, reason=f"cannot be undone: {kept}", advice=advice)
        reason = f"It is as it was before run {self._run}: nothing is left to put back."
        return AsItWas(plan=replace(plan, reason=reason))

    def _document(self, mine: list[DoneStep], left: dict[str, Document]) -> None:
        first, last = mine[0].step, mine[-1].step
        target = target_of(first)
        assert isinstance(first, PutDeployment | PutSavedSearch)  # noqa: S101 - the caller chose them so
        name = ResourceId.parse(target).name
        if gap := self._facts.missing(target):
            self._object(Hold(guardrail=MOVED_ON, reason=f"{name} could not be read: {gap.what}"))
            return
        current = self._there.get(target) or self._facts.documents.get(target)
        if current is None:
            self._object(Refuse(guardrail=MOVED_ON, reason=f"id: {name} does not exist any more"))
            return
        if is_as_it_was(first, first.before, current):
            return
        written = [body for done in mine if (body := left_behind(done.step, done.result)) is not None]
        # Of edits whose end nobody recorded any one may be what is there.
        certain = max((place for place, done in enumerate(mine) if done.certain), default=0)
        if target in self._there:
            # An earlier part of the undo has moved the start of the schedule.
            written = [_started_as(current, body) for body in written]
        changes = [_difference(last, body, current) for body in written[certain:]]
        if changes and (change := changes[0]) and all(changes):
            was, is_ = _short(change.before), _short(change.after)
            why = f"{change.field} of {name} was {was} when run {self._run} left it, and is {is_} now"
            self._object(Refuse(guardrail=MOVED_ON, reason=why))
        step = self._put_back(first, current)
        if isinstance(step, Hold):
            self._object(step)
        else:
            left[target] = step.after
            self._steps.append(step)

    def _put_back(
        self, first: PutDeployment | PutSavedSearch, current: Document
    ) -> PutDeployment | PutSavedSearch | Hold:
        if isinstance(first, PutSavedSearch):
            after = {**copy.deepcopy(current), "properties": copy.deepcopy(first.before.get("properties"))}
            return PutSavedSearch(saved_search=first.saved_search, before=current, after=after)
        target, original = target_of(first), body_to_put(first.before)
        document = self._facts.documents[target]
        match editable(self._facts, target, self._margin):
            case str() as why:
                return Hold(guardrail="next-run", reason=why)
            case Editable() as edit:
                start = start_of(original)
                # Azure takes no start in the past: then the schedule goes on from its next run.
                if start is None or start - self._facts.now < self._margin:
                    original = with_start(original, text_at(edit.edited(), _START))
        before = current if target in self._there else document
        return PutDeployment(deployment=first.deployment, before=before, after=original)

    def _script(self, step: RunScript, done: DoneStep) -> None:
        machine = ResourceId.parse(step.machine).name
        back = undoing(step, done.result) if done.certain else None
        if back is not None:
            self._steps.append(back)
        elif not done.certain:
            self._kept.append(f"whether {step.script} ran on {machine} is not known: look there")
        elif step.undo_script is not None:
            self._kept.append(f"{step.script} did not say on {machine} what {step.undo_script} has to know")
        elif step.script not in CHANGE_NOTHING:
            self._kept.append(f"what {step.script} did on {machine} stays")

    def _quota(self, step: SetDailyQuota) -> None:
        name, target = ResourceId.parse(step.workspace).name, target_of(step)
        if gap := self._facts.missing(target):
            self._object(Hold(guardrail=MOVED_ON, reason=f"{name} could not be read: {gap.what}"))
            return
        current = at(self._facts.documents.get(target, {}), _QUOTA)
        if current == step.gb_before:
            return
        if current != step.gb_after:
            why = f"{_QUOTA} of {name} was {step.gb_after:g} when run {self._run} left it, and is {_short(current)} now"
            self._object(Refuse(guardrail=MOVED_ON, reason=why))
        self._steps.append(SetDailyQuota(workspace=step.workspace, gb_before=step.gb_after, gb_after=step.gb_before))

    def _object(self, objection: Hold | Refuse) -> None:
        self._objection = self._objection or objection


def _started_as(current: Document, body: Document) -> Document:
    start = text_at(current, _START)
    return with_start(body, start) if start else body


def is_as_it_was(step: PutDeployment | PutSavedSearch, original: Document, current: Document) -> bool:
    """True where a document is what it was, but for the start of a schedule, which lies in the future in Azure."""
    if isinstance(step, PutSavedSearch):
        return _search_difference(original, current) is None
    start = text_at(current, _START)
    return same_deployment(with_start(body_to_put(original), start), current) is None


def unlike(step: Step, result: Document, facts: Facts, ours: Mapping[str, Document]) -> Change | None:
    """The first field in which the target of an undoing step is not what it was to become.

    `ours` is what the undo has last put where: several findings may have changed one document.
    """
    match step:
        case PutDeployment() | PutSavedSearch():
            found = facts.documents.get(target_of(step))
            if found is None:
                return Change(field="id", before=target_of(step), after=None)
            return _difference(step, ours[target_of(step)], found)
        case SetDailyQuota():
            quota = at(facts.documents.get(target_of(step), {}), _QUOTA)
            return None if quota == step.gb_after else Change(field=_QUOTA, before=step.gb_after, after=quota)
        case RunScript():
            said = text_at(result, "outcome")
            return None if said == "restored" else Change(field="outcome", before="restored", after=said)
        case _:
            return None


def _difference(step: Step, wanted: Document, found: Document) -> Change | None:
    if isinstance(step, PutDeployment):
        return same_deployment(wanted, found)
    return _search_difference(wanted, found)


def _search_difference(wanted: Document, found: Document) -> Change | None:
    return next(differences(wanted.get("properties"), found.get("properties"), "properties"), None)


def _short(value: Json) -> str:
    text = str(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
