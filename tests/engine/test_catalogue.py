"""The catalogue is whole: what has a name can be found, and what is found is answered."""

from __future__ import annotations

import inspect
import re

import pytest

from detectors import DETECTORS
from detectors.protocol import Detector, kql
from engine.catalogue import Catalogue
from model.states import ActionClass, FailureState, Impact
from remediations import ONLY_IN_WINDOW
from remediations.protocol import Remediation
from tests.engine.conftest import App

CATALOGUE = Catalogue.of(App().engine.settings)
HEADINGS = ("Looks like:", "Evidence:", "Healthy:", "Unknown:", "Source:")


def test_every_failure_state_has_one_detector() -> None:
    assert sorted(detector.finds for detector in DETECTORS) == sorted(FailureState)


def test_every_failure_state_is_answered() -> None:
    """By a repair, or by a remediation that says exactly what a person has to do."""
    assert {remediation.fixes for remediation in CATALOGUE.remediations} == set(FailureState)


def test_remediations_have_names_of_their_own() -> None:
    ids = [remediation.id for remediation in CATALOGUE.remediations]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("remediation", CATALOGUE.remediations, ids=lambda remediation: remediation.id)
def test_what_changes_nothing_is_advice_and_the_other_way_round(remediation: Remediation) -> None:
    """Whoever reads the class of a remediation knows whether the writer needs rights for it."""
    assert (remediation.action_class is ActionClass.ADVISE) is (not remediation.permissions)


def test_what_stops_something_for_a_while_is_nothing_that_a_sweep_does_unasked() -> None:
    disruptive = [one for one in CATALOGUE.remediations if one.impact is Impact.DISRUPTIVE]

    assert disruptive
    assert {one.action_class for one in disruptive} == {ActionClass.OPT}


def test_what_waits_for_a_window_is_a_remediation() -> None:
    assert {remediation.id for remediation in CATALOGUE.remediations} >= ONLY_IN_WINDOW


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.finds.value)
def test_a_detector_is_a_page_of_the_manual(detector: Detector) -> None:
    """Its docstring says what the state is, what it looks like, how it is found and when nothing can be told."""
    manual = inspect.getdoc(detector) or ""
    assert [heading for heading in HEADINGS if not re.search(rf"^{heading}", manual, re.MULTILINE)] == []


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.finds.value)
def test_a_detectors_queries_are_there(detector: Detector) -> None:
    for name in detector.queries:
        assert kql(name).strip()


@pytest.mark.parametrize("remediation", CATALOGUE.remediations, ids=lambda remediation: remediation.id)
def test_a_remediation_asks_for_no_right_by_wildcard(remediation: Remediation) -> None:
    for permission in remediation.permissions:
        assert re.fullmatch(r"Microsoft\.[A-Za-z]+(?:/[A-Za-z]+)+", permission), permission
