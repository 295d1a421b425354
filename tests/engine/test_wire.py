"""Plans as JSON, for the ledger and for the history of a process."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.wire import PlanChanged, Storable, UnreadableRecord, document_hash, from_json, to_json
from model.documents import Document, Json
from model.findings import Finding, Unknown
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
    Treatment,
)
from model.states import FailureState, Impact
from tests.builders import a_finding, a_plan

texts = st.text(max_size=8)
times = st.timedeltas(timedelta(0), timedelta(days=36_000)).map(lambda since: datetime(2000, 1, 1, tzinfo=UTC) + since)
lengths = st.integers(0, 10**12).map(lambda microseconds: timedelta(microseconds=microseconds))
values: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
documents = st.dictionaries(texts, values, max_size=3)
findings = st.builds(
    Finding,
    state=st.sampled_from(FailureState),
    target=texts,
    name=texts,
    reason=texts,
    since=st.none() | times,
    evidence=documents,
)
steps = st.one_of(
    st.builds(PutDeployment, deployment=texts, before=documents, after=documents, restores=st.booleans()),
    st.builds(PutSavedSearch, saved_search=texts, before=documents, after=documents, restores=st.booleans()),
    st.builds(
        RunScript,
        machine=texts,
        location=texts,
        script=texts,
        parameters=st.dictionaries(texts, texts, max_size=2),
        undo_script=st.none() | texts,
        time_out=lengths,
    ),
    st.builds(AwaitIdentity, machine=texts, workspace_guid=texts, not_source_computer_id=texts, time_out=lengths),
    st.builds(RegisterProvider, subscription=texts, namespace=texts, state_before=texts),
    st.builds(StartMachine, machine=texts, power_before=texts),
    st.builds(SetDailyQuota, workspace=texts, gb_before=st.floats(-1, 1e6), gb_after=st.floats(-1, 1e6)),
)
plans = st.builds(
    Plan,
    finding=findings,
    remediation=texts,
    impact=st.sampled_from(Impact),
    reason=texts,
    steps=st.lists(steps, max_size=4).map(tuple),
    settle=st.builds(Settle, after=lengths, not_before=st.none() | times, why=texts),
    risk=texts,
    group=texts,
)
verdicts = st.one_of(
    st.just(Allow()),
    st.builds(Hold, guardrail=texts, reason=texts, until=st.none() | times),
    st.builds(Refuse, guardrail=texts, reason=texts),
)
advice = st.builds(Advice, finding=findings, summary=texts, steps=st.lists(texts, max_size=3).map(tuple))
storables: st.SearchStrategy[Storable] = st.one_of(
    findings,
    st.builds(Unknown, state=st.sampled_from(FailureState), target=texts, missing=texts),
    advice,
    st.builds(Declined, finding=findings, remediation=texts, reason=texts, advice=advice),
    st.builds(Treatment, id=texts, plan=plans, verdict=verdicts),
)


@given(storables)
def test_what_is_written_is_read_back_as_it_was(value: Storable) -> None:
    """Through JSON text, as both stores keep it; times to the microsecond."""
    written = json.loads(json.dumps(to_json(value), allow_nan=False))

    assert from_json(type(value), written) == value


@given(storables)
def test_writing_changes_nothing(value: Storable) -> None:
    before = copy.deepcopy(value)
    written = to_json(value)

    assert value == before
    assert written == to_json(value)


def a_record() -> Document:
    return to_json(Treatment(id="t", plan=a_plan(PutDeployment(deployment="d", before={"a": 1}, after={}))))


def at_path(document: Json, path: str) -> tuple[Json, str | int]:
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in way:
        document = document[part]  # type: ignore[index]
    return document, last


FOREIGN: list[tuple[str, Json]] = [
    ("id", 7),
    ("id", None),
    ("plan", None),
    ("plan", "a plan"),
    ("plan", []),
    ("plan.finding.state", "a-state-of-next-year"),
    ("plan.finding.since", "last week"),
    ("plan.finding.since", 7),
    ("plan.finding.extra", "of a newer version"),
    ("plan.impact", "harmless"),
    ("plan.reason", ["because"]),
    ("plan.steps", None),
    ("plan.steps", {"0": {}}),
    ("plan.steps.0.kind", "DeleteEverything"),
    ("plan.steps.0.kind", None),
    ("plan.steps.0.restores", "false"),
    ("plan.steps.0.restores", 1),
    ("plan.steps.0.deployment", None),
    ("plan.steps.0.force", True),
    ("plan.settle.after", "soon"),
    ("plan.settle.after", None),
    ("verdict.kind", "Maybe"),
    ("verdict.because", "x"),
]


@pytest.mark.parametrize(("path", "value"), FOREIGN, ids=[f"{path}={value!r}" for path, value in FOREIGN])
def test_a_record_of_another_shape_is_unreadable_and_never_half_read(path: str, value: Json) -> None:
    """Written by another version, whose hash of it is right: what would be done by it is not what was planned."""
    record = a_record()
    there, last = at_path(record, path)
    there[last] = value  # type: ignore[index]
    record["planHash"] = document_hash(record["plan"])

    with pytest.raises(UnreadableRecord, match="Treatment") as raised:
        from_json(Treatment, record)
    assert len(str(raised.value)) < 600


def test_a_plan_that_was_edited_by_hand_is_told_from_one_of_another_shape() -> None:
    """Its shape is right, and its hash is that of the plan which was recorded."""
    record = a_record()
    there, last = at_path(record, "plan.settle.after")
    there[last] = 1.0  # type: ignore[index]

    with pytest.raises(PlanChanged, match="it was changed since"):
        from_json(Treatment, record)


@pytest.mark.parametrize(
    "path", ["id", "plan.finding.target", "plan.steps.0.kind", "plan.steps.0.before", "plan.settle"]
)
def test_a_record_that_lacks_something_is_unreadable(path: str) -> None:
    record = a_record()
    there, last = at_path(record, path)
    del there[last]  # type: ignore[arg-type, union-attr]

    with pytest.raises(UnreadableRecord):
        from_json(Treatment, record)


@given(documents)
def test_any_document_is_a_value_or_unreadable(document: Document) -> None:
    for kind in (Treatment, Finding, Advice):
        with pytest.raises(UnreadableRecord):
            from_json(kind, document)


def test_documents_are_kept_as_azure_sent_them() -> None:
    """Nulls, empty lists and numbers: PUT sends back what it did not understand."""
    body: Document = {"a": None, "b": [], "c": {"d": [1, 1.5, True, "x", None]}, "": ""}
    treatment = Treatment(id="t", plan=a_plan(PutDeployment(deployment="d", before=body, after=body)))

    (step,) = from_json(Treatment, json.loads(json.dumps(to_json(treatment)))).plan.steps

    assert isinstance(step, PutDeployment)
    assert step.before == body


def test_a_finding_s_key_is_not_stored_but_follows_from_it() -> None:
    finding = a_finding()

    assert from_json(Finding, to_json(finding)).key == finding.key
