"""Machines that dynamic queries select in vain: `schedule-missed-machines` and `not-in-dynamic-group-preview`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from detectors.not_in_dynamic_group_preview import NotInDynamicGroupPreview
from detectors.schedule_missed_machines import ScheduleMissedMachines
from model.documents import Document
from model.facts import Facts, Machine, PowerState, ResourceChange
from model.findings import Detection, Finding, Unknown
from model.plans import Declined
from model.states import FailureState
from remediations import remediations
from tests.builders import (
    DAY,
    HOUR,
    NOW,
    SUBSCRIPTION,
    a_body,
    a_machine,
    a_registration,
    a_run,
    a_system_group,
    a_workspace,
    facts,
    guid,
    update_deployment,
)

STARTED = NOW - 4 * DAY
WHOLE = f"/subscriptions/{SUBSCRIPTION}"
POWER = "properties.extended.instanceView.powerState.code"
PATCHED = {"patch": "yes"}
ONE, TWO, THREE = (a_machine(f"web-0{n}", tags=PATCHED) for n in (1, 2, 3))
OFF = a_machine("web-03", tags=PATCHED, power=PowerState.DEALLOCATED)
WEEKLY = update_deployment("Weekly").lower()


def beats(machine: Machine, source: str = "") -> Document:
    """A row of `group-agents.log.kql`."""
    source = source or guid(machine.name)
    return {"MachineId": machine.id, "VmId": machine.vm_id, "SourceComputerId": source, "LastBeat": NOW.isoformat()}


def a_world(
    *,
    machines: Sequence[Machine] = (ONE, TWO, THREE),
    called: Sequence[Machine] | None = (ONE, TWO),
    agents: Sequence[Machine] = (ONE, TWO, THREE),
    workers: Sequence[Machine] = (ONE, TWO, THREE),
    changes: Sequence[ResourceChange] = (),
    rows: Sequence[Document] | None = None,
    body: dict[str, Any] | None = None,
    run: dict[str, Any] | None = None,
    **rest: Any,
) -> Facts:
    """A weekly deployment of machines with the tag `patch`, whose run called some; `changes` are those of web-03."""
    has_run = called is not None
    return facts(
        machines=machines,
        bodies=[a_body(scopes=[WHOLE], tags={"patch": ["yes"]}, **(body or {}))],
        runs=[a_run(start=STARTED, computers=len(called or ()), **(run or {}))] if has_run else [],
        called={"run-1": [machine.id for machine in called]} if called is not None else {},
        changes={THREE.id: changes},
        system_groups=[a_system_group(machine.name, guid(machine.name)) for machine in workers],
        registrations=rest.pop("registrations", [a_registration()]),
        workspace=a_workspace(),
        rows={"group-agents": [beats(machine) for machine in agents] if rows is None else rows},
        **rest,
    )


def missed(facts_: Facts) -> list[tuple[str, str]]:
    """Machine and cause, of the one finding that there may be."""
    return told(list(ScheduleMissedMachines().detect(facts_)))


def unseen(facts_: Facts) -> list[tuple[str, str]]:
    return told(list(NotInDynamicGroupPreview().detect(facts_)))


def told(found: list[Detection]) -> list[tuple[str, str]]:
    machines: list[Any] = []
    for one in found:
        assert isinstance(one, Finding)
        listed = one.evidence["machines"]
        machines += listed if isinstance(listed, list) else []
    return [(machine["name"], machine["cause"]) for machine in machines]


def update(when: datetime, **before: str) -> ResourceChange:
    return ResourceChange(
        at=when, kind="update", before={name.replace("_", "."): value for name, value in before.items()}
    )


def started(when: datetime) -> ResourceChange:
    """It was off until then."""
    return ResourceChange(at=when, kind="update", before={POWER: "PowerState/deallocated"})


class TestScheduleMissedMachines:
    @pytest.mark.parametrize(
        ("world", "cause"),
        [
            # It was there, on, and fit: who saved the deployment may not write it.
            ({}, "permission"),
            ({"registrations": [a_registration(state="NotRegistered")]}, "provider"),
            ({"changes": [started(STARTED + HOUR)]}, "off"),
            # Started again before the run.
            ({"changes": [started(STARTED - HOUR)]}, "permission"),
            # Its tag was away over the run's start.
            ({"changes": [update(STARTED - HOUR, tags_patch="yes"), update(STARTED + HOUR, tags_patch="")]}, "tags"),
            ({"changes": [update(STARTED - HOUR, tags_patch="yes"), update(STARTED + HOUR, tags_patch="no")]}, "tags"),
            # Made long before the run.
            ({"changes": [ResourceChange(at=STARTED - HOUR, kind="create", before={})]}, "permission"),
        ],
    )  # fmt: skip
    def test_a_machine_that_the_run_should_have_called_is_found_with_its_cause(
        self, world: dict[str, Any], cause: str
    ) -> None:
        assert missed(a_world(**world)) == [("web-03", cause)]

    @pytest.mark.parametrize(
        "world",
        [
            {"called": (ONE, TWO, THREE)},
            # It was tagged, or made, after the run: the next one calls it.
            {"changes": [update(STARTED + HOUR, tags_patch="")]},
            {"changes": [update(STARTED + HOUR, tags_patch="no")]},
            {"changes": [ResourceChange(at=STARTED + HOUR, kind="create", before={})]},
            # It fits no more, or never did.
            {"machines": [ONE, TWO, a_machine("web-03")]},
            {"machines": [ONE, TWO, a_machine("web-03", tags=PATCHED, os="Linux")]},
            # It has nothing that could be called, which is another state.
            {"workers": (ONE, TWO)},
            {"agents": (ONE, TWO)},
            # Nothing has run, it runs now, or the deployment was another one then.
            {"called": None},
            {"run": {"status": "InProgress"}},
            {"body": {"edited": STARTED + HOUR}},
        ],
    )
    def test_what_a_run_had_not_to_call_is_not_missed(self, world: dict[str, Any]) -> None:
        assert list(ScheduleMissedMachines().detect(a_world(**world))) == []

    def test_a_run_that_called_enough_was_not_asked_whom(self) -> None:
        """There is no list of its machine runs, and nothing is concluded from that."""
        world = a_world()

        asked = facts(
            machines=world.machines.values(), bodies=[a_body(scopes=[WHOLE])], runs=[a_run(start=STARTED, computers=3)]
        )

        assert list(ScheduleMissedMachines().detect(asked)) == []

    def test_a_machine_of_the_same_name_is_another_one(self) -> None:
        """The account has a worker of a web-03; this one's agent has another identity."""
        world = a_world(rows=[beats(ONE), beats(TWO), beats(THREE, "another")])

        assert missed(world) == []
        assert unseen(world) == [("web-03", "no-worker")]

    @pytest.mark.parametrize(
        "unreadable",
        [{"dynamic-groups": "429"}, {"called:run-1": "503"}, {"group-agents": "partial"}, {"system-groups": "403"}],
    )
    def test_what_could_not_be_read_is_unknown(self, unreadable: dict[str, str]) -> None:
        (found,) = ScheduleMissedMachines().detect(a_world(unreadable=unreadable))

        assert isinstance(found, Unknown)
        assert next(iter(unreadable.values())) in found.missing

    @pytest.mark.parametrize(("days", "known"), [(12.9, True), (13.1, False)])
    def test_before_azure_s_memory_nothing_can_be_told(
        self,
        days: float,
        known: bool,  # noqa: FBT001 - a column of the table
    ) -> None:
        """Resource Graph forgets after 14 days, and a day before the run is looked at."""
        world = a_world()
        moved = facts(
            machines=world.machines.values(),
            bodies=[a_body(scopes=[WHOLE], tags={"patch": ["yes"]})],
            runs=[a_run(start=NOW - days * DAY, computers=2)],
            called=world.called,
            system_groups=world.system_groups.values(),
            registrations=[a_registration()],
            rows={"group-agents": world.rows["group-agents"]},
        )

        (found,) = ScheduleMissedMachines().detect(moved)

        assert isinstance(found, Finding) is known


class TestNotInDynamicGroupPreview:
    @pytest.mark.parametrize(
        ("world", "cause"),
        [
            ({"agents": (ONE, TWO)}, "no-agent"),
            ({"workers": (ONE, TWO)}, "no-worker"),
            # A deployment that has not run yet, or was changed since.
            ({"agents": (ONE, TWO), "called": None}, "no-agent"),
            ({"agents": (ONE, TWO), "body": {"edited": STARTED + HOUR}}, "no-agent"),
        ],
    )
    def test_a_machine_without_a_worker_is_found_with_what_it_lacks(self, world: dict[str, Any], cause: str) -> None:
        assert unseen(a_world(**world)) == [("web-03", cause)]

    @pytest.mark.parametrize(
        "world",
        [
            {},
            {"called": None},
            # It is off, and nobody knows what it would do.
            {"machines": [ONE, TWO, OFF], "agents": (ONE, TWO)},
            # The run called it: it had a worker then.
            {"called": (ONE, TWO, THREE), "agents": (ONE, TWO)},
            {"machines": [ONE, TWO, a_machine("web-03")], "agents": (ONE, TWO)},
        ],
    )  # fmt: skip
    def test_what_can_be_called_or_need_not_be_is_healthy(self, world: dict[str, Any]) -> None:
        assert list(NotInDynamicGroupPreview().detect(a_world(**world))) == []

    @pytest.mark.parametrize(("rows", "identity"), [([], guid("web-03")), ([beats(THREE, "another")], None)])
    def test_it_says_under_which_identity_an_agent_beats_without_a_worker(
        self, rows: list[Document], identity: str | None
    ) -> None:
        """Unless there are several: then nobody knows which one to wait for."""
        known = [beats(ONE), beats(TWO), beats(THREE), *rows]
        (found,) = NotInDynamicGroupPreview().detect(a_world(rows=known, workers=(ONE, TWO)))

        assert isinstance(found, Finding)
        assert [one.get("sourceComputerId") for one in found.evidence["machines"]] == [identity]  # type: ignore[union-attr] # objects

    def test_an_agent_without_a_resource_id_is_known_by_its_vm_id(self) -> None:
        rows = [beats(ONE), beats(TWO), {**beats(THREE), "MachineId": ""}]

        assert unseen(a_world(rows=rows)) == []

    @pytest.mark.parametrize("what", ["dynamic-groups", "called:run-1", "group-agents", "machines", "log-workspace"])
    def test_what_could_not_be_read_is_unknown(self, what: str) -> None:
        (found,) = NotInDynamicGroupPreview().detect(a_world(agents=(ONE, TWO), unreadable={what: "503"}))

        assert isinstance(found, Unknown)


def advice(facts_: Facts, state: FailureState) -> str:
    detector = (
        ScheduleMissedMachines() if state is FailureState.SCHEDULE_MISSED_MACHINES else NotInDynamicGroupPreview()
    )
    (finding,) = detector.detect(facts_)
    assert isinstance(finding, Finding)
    assert finding.target == WEEKLY
    remediation = next(one for one in remediations(margin=HOUR, max_window=HOUR) if one.fixes is state)
    declined = remediation.plan(finding, facts_)
    assert isinstance(declined, Declined)
    return "\n".join(declined.advice.steps)


@pytest.mark.parametrize(
    ("world", "state", "words"),
    [
        ({}, FailureState.SCHEDULE_MISSED_MACHINES, [THREE.id, "virtualMachines/write", "2026-03-13 06:00 UTC"]),
        (
            {"registrations": [a_registration(state="NotRegistered")]},
            FailureState.SCHEDULE_MISSED_MACHINES,
            ["Microsoft.Automation", "web-03"],
        ),
        ({"agents": (ONE, TWO)}, FailureState.NOT_IN_DYNAMIC_GROUP_PREVIEW, [THREE.id, "Onboard web-03", "retired"]),
        ({"workers": (ONE, TWO)}, FailureState.NOT_IN_DYNAMIC_GROUP_PREVIEW, ["service_control restart", "web-03"]),
    ],
)
def test_a_person_reads_which_machine_why_and_what_to_do(
    world: dict[str, Any], state: FailureState, words: list[str]
) -> None:
    said = advice(a_world(**world), state)

    assert [word for word in words if word not in said] == []
