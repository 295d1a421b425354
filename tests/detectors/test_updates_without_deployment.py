"""When a machine counts as installing by its own schedule."""

from __future__ import annotations

import pytest

from detectors.updates_without_deployment import UpdatesWithoutDeployment
from model.documents import Document, Json
from model.facts import Machine
from model.findings import Finding
from tests.builders import a_machine, facts
from tests.detectors.answers import found, unknown

WEB = a_machine("web-01")


def a_schedule(machine: Machine, **more: Json) -> Document:
    """A row of `updates-without-deployment.kql`."""
    row: Document = {
        "MachineId": machine.id,
        "VmId": machine.vm_id,
        "Computer": machine.name,
        "OsVersion": "10.0.17763",
        "Seen": "2026-03-10T05:00:00Z",
        "KBs": None,
        "First": None,
        "Deployments": None,
    }
    return row | more


def test_a_machine_on_its_own_schedule_is_found_with_what_it_installed() -> None:
    row = a_schedule(WEB, KBs=["5034768", "5034439"], First="2026-03-09T03:00:00Z", Deployments=["weekly"])
    [one] = UpdatesWithoutDeployment().detect(facts(machines=[WEB], rows={"updates-without-deployment": [row]}))

    assert isinstance(one, Finding)
    assert "2 updates outside every run" in one.reason
    assert one.evidence["installedUpdates"] == ["5034768", "5034439"]
    assert one.evidence["deployments"] == ["weekly"]


def test_the_setting_alone_is_enough() -> None:
    """It will install, sooner or later; and one machine is told once, under however many identities it reports."""
    rows = [a_schedule(WEB), a_schedule(WEB)]

    assert found(
        UpdatesWithoutDeployment().detect(facts(machines=[WEB], rows={"updates-without-deployment": rows}))
    ) == [WEB.id]


def test_a_machine_that_is_gone_or_was_built_anew_is_not_found() -> None:
    rows = [a_schedule(a_machine("gone")), a_schedule(WEB, VmId="ffffffff-0000-4000-8000-000000000000")]

    assert (
        found(UpdatesWithoutDeployment().detect(facts(machines=[WEB], rows={"updates-without-deployment": rows}))) == []
    )


@pytest.mark.parametrize("missing", ["updates-without-deployment", "machines"])
def test_what_could_not_be_read_is_unknown(missing: str) -> None:
    assert unknown(UpdatesWithoutDeployment().detect(facts(unreadable={missing: "503"}))) == {"": "503"}
