"""Reading and deciding: one look at the estate, what every detector says of it, and what would be done about it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from detectors.protocol import Detector, LooksInside
from engine.catalogue import Catalogue
from engine.insides import advised, with_obstacles
from engine.ladder import Ladder
from engine.ports import Estate, Progress, quiet
from guardrails import Attempt
from model.deployments import same_deployment
from model.diagnosis import Diagnosis
from model.documents import Document, at
from model.facts import Facts, Unreadable, run_commands_of
from model.findings import Finding, Unknown
from model.plans import Declined, Plan, RunScript
from model.secrets import none_in, without_secrets
from model.states import FailureState
from model.times import parse_time

log = logging.getLogger("patchwright")

CAUSES: Final[Mapping[FailureState, Mapping[FailureState, str]]] = {
    FailureState.LINUX_PENDING_VS_INSTALLED_DIFFER: {
        # What a package manager cannot classify it does not install, and it stays pending.
        FailureState.LINUX_CLASSIFICATION_CAVEAT: "classifications that its machines have: they have none",
    },
    FailureState.LINUX_RUN_FAILED: {
        # The run says itself what stopped it, and it is not the package manager.
        FailureState.LINUX_WORKER_CONFLICT: "a worker that can run it: the state of an earlier one is in the way",
        FailureState.WORKER_JOB_LIMIT_REACHED: "a job that was let run: the worker was sent more than it takes",
    },
    FailureState.MACHINES_DONT_INSTALL: {
        FailureState.WORKER_JOB_LIMIT_REACHED: "a job that was let run: the worker was sent more than it takes",
    },
    # What explains machines by the thousand, the workspace's own states, stands in detectors/workspace_causes.py.
    FailureState.NO_HEARTBEAT: {
        FailureState.WRONG_WORKSPACE: "its beats: its agent reports to another workspace",
    },
    FailureState.NOT_ASSESSED: {
        # The state of its onboarding comes before what follows from it.
        FailureState.REGISTRATION_BLOCKED: "a hybrid worker: it never registered, and that comes first",
        FailureState.CLONED_MACHINE: "assessments of its own: the machine is a clone",
        FailureState.UPDATE_AGENT_ERROR: "an update agent that can assess: it ends with an error of its own",
    },
    FailureState.SCOPE_EXCLUDED: {
        # A clone is put back into the scope once it has an identity of its own.
        FailureState.CLONED_MACHINE: "an agent identity of its own: the machine is a clone",
    },
    # A machine whose agent is silent has no worker that answers, and after 30 days none at all.
    FailureState.WORKER_UNREACHABLE: {
        FailureState.NO_HEARTBEAT: "an agent that beats: it is silent, and that comes first",
    },
    FailureState.WORKER_GROUP_PURGED: {
        FailureState.NO_HEARTBEAT: "an agent that beats: it is silent, and that comes first",
    },
    FailureState.SOURCE_ID_CHANGED: {
        # Clones take turns under one identity, which looks like a change of identity and is none.
        FailureState.CLONED_MACHINE: "an agent identity of its own: the machine is a clone",
        # A machine that is down, or does not answer, starts nothing under any identity.
        FailureState.VM_STOPPED: "a machine that is up: it is stopped, and that comes first",
        FailureState.WORKER_UNREACHABLE: "a worker that answers: it is silent, and that comes first",
    },
    FailureState.WORKER_REGISTRATION_FORBIDDEN: {
        # The service refuses what is signed at a time that is not.
        FailureState.CLOCK_SKEW: "a clock that is right: it is off, and that comes first",
    },
}
"""What explains a failure state on the same target, and what is then missing to judge it by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What one reading of the estate says."""

    facts: Facts
    findings: tuple[Finding, ...]
    unknown: tuple[Unknown, ...]

    def doubt(self, finding: Finding) -> Unknown | None:
        """What keeps this reading from telling whether a finding still holds, or None where it tells."""
        about = {"", finding.target}
        return next((u for u in self.unknown if u.state is finding.state and u.target in about), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class OurEdit:
    """What a run has itself made of a deployment."""

    found: Document
    """The body as the run's plans were made from it."""
    wrote: Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyor:
    """Looks, and never changes anything."""

    catalogue: Catalogue
    estate: Estate
    progress: Progress = quiet
    ladder: Ladder = field(default_factory=Ladder)

    def look(
        self,
        states: frozenset[FailureState],
        ours: Mapping[str, OurEdit] | None = None,
        diagnoses: Mapping[str, Diagnosis | Unreadable] | None = None,
    ) -> Survey:
        """Read what the detectors of these states need, once, and let each of them judge.

        `ours` maps a lower-case resource id to what this run did there: with those edits a deployment counts as saved
        when it was before them, because its own hand takes nothing from the evidence for the run's other findings.
        `diagnoses` is what machines said of their inside.
        """
        detectors = self._detectors(states)
        facts = self.estate.read(self.catalogue.readings(detectors), self.catalogue.queries(detectors), self.progress)
        closer = frozenset(id_ for detector in detectors for id_ in detector.suspects(facts))
        if closer:
            self.progress(f"a closer look at {len(closer)} suspects")
            facts = self.estate.look_closer(facts, closer)
        facts = replace(_as_before(facts, ours or {}), diagnoses=diagnoses or {})
        findings: list[Finding] = []
        unknown: list[Unknown] = []
        for detector in detectors:
            try:
                detections = list(detector.detect(facts))
            except Exception as error:
                # One detector that stumbles over what Azure said must not hide what the others found.
                log.exception("detector failed", extra={"state": detector.finds.value})
                detections = [Unknown(state=detector.finds, target="", missing=f"a judgement: {error!r:.300}")]
            findings += [_told(with_obstacles(d, facts)) for d in detections if isinstance(d, Finding)]
            unknown += [replace(d, missing=without_secrets(d.missing)) for d in detections if isinstance(d, Unknown)]
        return _causes_first(Survey(facts=facts, findings=tuple(findings), unknown=tuple(unknown)), states)

    def looks_inside(self, states: frozenset[FailureState]) -> bool:
        """True where a diagnosis would help any detector of these states."""
        return any(isinstance(detector, LooksInside) for detector in self._detectors(states))

    def suspects(self, states: frozenset[FailureState], facts: Facts) -> frozenset[str]:
        """The machines that detectors of these states would have looked into."""
        inside = [detector for detector in self._detectors(states) if isinstance(detector, LooksInside)]
        found = set[str]()
        for detector in inside:
            try:
                found |= detector.probes(facts)
            except Exception:
                # What it stumbles over it says when it judges; the others' suspects are looked into all the same.
                log.exception("suspects could not be told", extra={"detector": type(detector).__name__})
        return frozenset(found)

    def _detectors(self, states: frozenset[FailureState]) -> tuple[Detector, ...]:
        detectors = self.catalogue.detecting(states)
        # What would explain a finding is looked for even where it was not asked for.
        causes = frozenset(cause for detector in detectors for cause in CAUSES.get(detector.finds, {}))
        return detectors + tuple(d for d in self.catalogue.detectors if d.finds in causes and d not in detectors)

    def plan(
        self,
        findings: Iterable[Finding],
        facts: Facts,
        attempts: Mapping[tuple[str, str], Sequence[Attempt]] | None = None,
        *,
        first: Mapping[str, str] | None = None,
    ) -> tuple[list[Plan], list[Declined], Facts]:
        """The first remediation of each finding that has a plan, or what the gentlest one says instead.

        Whoever hands in the `attempts`, by target and remediation, wants the ladder climbed: what was tried often
        enough is passed over, and where nothing else has a plan, that is an exception with an owner. `first` names the
        remediation that is tried before the others, by the finding's key.
        """
        findings = list(findings)
        wanted = frozenset(
            id_
            for finding in findings
            for remediation in self.catalogue.fixing(finding.state)
            for id_ in remediation.needs(finding, facts)
            if id_ not in facts.documents
        )
        if wanted:
            self.progress(f"{len(wanted)} documents to plan with")
            facts = self.estate.look_closer(facts, wanted)
        plans: list[Plan] = []
        declined: list[Declined] = []
        for finding in findings:
            rungs = self.catalogue.fixing(finding.state)
            tried = {rung.id: (attempts or {}).get((finding.target, rung.id), ()) for rung in rungs}
            meant = (first or {}).get(finding.key)
            answers = {rung.id: rung.plan(finding, facts) for rung in sorted(rungs, key=lambda rung: rung.id != meant)}
            passed = self.ladder.passed(rungs, answers, tried, facts.now)
            left = [answer for id_, answer in answers.items() if id_ not in passed]
            others = [answer for answer in left if isinstance(answer, Declined)]
            if plan := next((answer for answer in left if isinstance(answer, Plan)), None):
                plans.append(plan)
            elif passed:
                declined.append(self.ladder.end(finding, passed, tried, others, facts))
            else:
                declined += others[:1]
        scripted = {step.machine.lower() for plan in plans for step in plan.steps if isinstance(step, RunScript)}
        if scripted:
            # What else runs there now; read anew each time, because it changes by the minute.
            self.progress(f"run commands of {len(scripted)} machines")
            facts = self.estate.look_closer(facts, frozenset(map(run_commands_of, scripted)))
        return plans, [advised(one, facts) for one in declined], facts


def _told(finding: Finding) -> Finding:
    """The finding as it is recorded and shown: what a log or an error text brought along of a secret stays out."""
    return replace(finding, reason=without_secrets(finding.reason), evidence=none_in(dict(finding.evidence)))


def _as_before(facts: Facts, ours: Mapping[str, OurEdit]) -> Facts:
    """The same facts, with the time of an edit that was our own taken back; somebody else's stays."""
    deployments = dict(facts.deployments)
    for id_, edit in ours.items():
        deployment, document = deployments.get(id_), facts.documents.get(id_)
        if deployment and document is not None and same_deployment(edit.wrote, document) is None:
            saved = parse_time(at(edit.found, "properties.lastModifiedTime"))
            deployments[id_] = replace(deployment, last_modified=saved)
    return replace(facts, deployments=deployments)


def _causes_first(survey: Survey, states: frozenset[FailureState]) -> Survey:
    """Only what was asked for, and of that nothing that one of its causes explains, or may explain."""
    findings: list[Finding] = []
    unknown = [doubt for doubt in survey.unknown if doubt.state in states]
    for finding in survey.findings:
        if finding.state not in states:
            continue
        for cause, why in CAUSES.get(finding.state, {}).items():
            if any(other.state is cause and other.target == finding.target for other in survey.findings):
                unknown.append(Unknown(state=finding.state, target=finding.target, missing=why))
                break
            doubt = next((u for u in survey.unknown if u.state is cause and u.target in {"", finding.target}), None)
            if doubt:
                missing = f"whether it is {cause.value}: {doubt.missing}"
                unknown.append(Unknown(state=finding.state, target=finding.target, missing=missing))
                break
        else:
            findings.append(finding)
    return Survey(facts=survey.facts, findings=tuple(findings), unknown=tuple(unknown))
