"""When a machine's update agent counts as failing, and when its server does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from detectors.update_agent_error import UpdateAgentError
from model.documents import Document
from model.facts import Facts, Machine, MachineRun, UpdateRun
from model.findings import Finding
from tests.builders import DAY, NOW, a_body, a_machine, a_machine_run, a_run, facts, swapped
from tests.detectors.answers import answer, found, unknown
from tests.diagnoses import a_diagnosis, looked_into

WEB = a_machine("web-01")
FARM = [a_machine(f"farm-{n:02}") for n in range(8)]
WSUS = "http://wsus01.contoso.com:8530"


def an_error(
    machine: Machine | str,
    text: str,
    *,
    phase: str = "scan",
    source: str = "",
    clients: int | None = None,
    deployment: str = "",
    kbs: list[str] | None = None,
    seen: str = "2026-03-10T05:00:00Z",
    vm_id: str | None = None,
) -> Document:
    """A row of `update-agent-error.kql`."""
    return {
        "MachineId": machine.id if isinstance(machine, Machine) else "",
        "VmId": (machine.vm_id if isinstance(machine, Machine) else "") if vm_id is None else vm_id,
        "Computer": machine.name if isinstance(machine, Machine) else machine,
        "Phase": phase,
        "Text": text,
        "Deployment": deployment,
        "KBs": [*(kbs or [])],
        "Seen": seen,
        "Source": source,
        "Clients": clients,
    }


def world(
    *rows: Document,
    bodies: Iterable[Document] = (),
    runs: Iterable[UpdateRun] = (),
    machine_runs: Iterable[MachineRun] = (),
    unreadable: Mapping[str, str] | None = None,
) -> Facts:
    return facts(
        machines=[WEB, *FARM],
        rows={"update-agent-error": rows},
        bodies=bodies,
        runs=runs,
        machine_runs=machine_runs,
        unreadable=unreadable,
    )


def findings(read: Facts) -> list[Finding]:
    return [one for one in UpdateAgentError().detect(read) if isinstance(one, Finding)]


def code(read: Facts) -> object:
    [one] = findings(read)
    return one.evidence["code"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0x8024402C", "0x8024402C"),
        ("Exception from HRESULT: 0x8024402C", "0x8024402C"),
        ("-2145107924", "0x8024402C"),
        # The innermost one is what to mend.
        ("0x80244022 ---> 0x8024401C", "0x8024401C"),
        # The agent is unwell, whatever it says.
        ("something went wrong", ""),
        ("", ""),
    ],
)
def test_an_unwell_agent_is_found_with_its_code(text: str, said: str) -> None:
    assert code(world(an_error(WEB, text))) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0x80244019", "found"),
        ("-2145107943", "found"),
        ("0x00000000", "nothing"),
        ("0x00240005", "nothing"),
        ("0", "nothing"),
    ],
)
def test_an_installation_fails_with_an_error_code_only(text: str, said: str) -> None:
    """A code of success, or a failure without a code, is no error of the agent."""
    assert answer(UpdateAgentError().detect(world(an_error(WEB, text, phase="install", kbs=["5034768"])))) == said


def test_the_article_s_own_text_is_understood() -> None:
    text = (
        "The service cannot be started, either because it is disabled or because it has no enabled devices associated"
    )
    [one] = findings(world(an_error(WEB, f"{text} with it. (Exception from HRESULT: 0x80070422)")))

    assert (one.evidence["name"], one.evidence["action"]) == ("ERROR_SERVICE_DISABLED", "start-update-service")


def test_a_machine_that_cannot_scan_is_told_of_that_first() -> None:
    """What it could not install has an older cause or the same one; every code is in the evidence."""
    rows = [
        an_error(WEB, "0x80242006", phase="install", deployment="weekly", kbs=["5034768"], seen="2026-03-10T05:30:00Z"),
        an_error(WEB, "0x80072EE2"),
    ]
    [one] = findings(world(*rows))

    assert one.evidence["code"] == "0x80072EE2"
    assert one.evidence["codes"] == ["0x80242006", "0x80072EE2"]
    assert one.evidence["updates"] == ["5034768"]


def test_a_machine_run_s_error_counts_in_the_newest_run() -> None:
    body = a_body(machines=[WEB])
    runs = [a_run("old", start=NOW - 9 * DAY), a_run("new", start=NOW - 2 * DAY)]
    failed = a_machine_run(WEB, run="new", status="Failed", error="Exception from HRESULT: 0x80244022")
    before = a_machine_run(WEB, run="old", status="Failed", error="Exception from HRESULT: 0x80244022")

    assert found(UpdateAgentError().detect(world(bodies=[body], runs=runs, machine_runs=[failed]))) == [WEB.id]
    # A later run went well.
    assert found(UpdateAgentError().detect(world(bodies=[body], runs=runs, machine_runs=[before]))) == []


def test_a_linux_machine_s_run_is_not_windows_update_s() -> None:
    linux = a_machine("db-01", os="Linux")
    failed = a_machine_run(linux, status="Failed", error="exit 0x80244022")
    read = facts(machines=[linux], bodies=[a_body(machines=[linux])], runs=[a_run()], machine_runs=[failed])

    assert found(UpdateAgentError().detect(read)) == []


SHARED = "0x80244022"
"""HTTP 503: the server is overloaded."""


@pytest.mark.parametrize(
    ("machines", "clients", "on_the_server"),
    [
        (3, 6, True),  # half of its clients
        (3, 7, False),  # fewer than half: something between those and the server
        (2, 2, False),  # too few to tell
        (8, 8, True),
    ],
)
def test_what_half_of_a_server_s_clients_report_is_the_server_s(
    machines: int,
    clients: int,
    on_the_server: bool,  # noqa: FBT001
) -> None:
    rows = [an_error(machine, SHARED, source=WSUS, clients=clients) for machine in FARM[:machines]]
    told = found(UpdateAgentError().detect(world(*rows)))

    assert told == (["name:wsus01.contoso.com"] if on_the_server else [machine.id for machine in FARM[:machines]])


def test_the_server_s_finding_lists_its_machines_and_counts_them() -> None:
    farm = [a_machine(f"farm-{n:03}") for n in range(60)]
    rows = [an_error(machine, SHARED, source=WSUS, clients=60) for machine in farm]
    [one] = findings(facts(machines=farm, rows={"update-agent-error": rows}))

    assert one.evidence["machineCount"] == 60
    assert one.evidence["machines"] == [machine.id for machine in farm[:50]]
    assert one.evidence["server"] == "wsus01.contoso.com"


@pytest.mark.parametrize(
    ("text", "source"),
    [
        # A disabled service is each machine's own, whoever serves it.
        ("0x80070422", WSUS),
        # Nothing says that they have a server in common.
        (SHARED, ""),
        # The column carries an error's text where the agent is unwell.
        (SHARED, "0x80244022"),
        (SHARED, "Error returned from unhealthy WUA agent"),
    ],
)
def test_machines_are_told_one_by_one_where_nothing_shows_a_common_cause(text: str, source: str) -> None:
    rows = [an_error(machine, text, source=source, clients=4) for machine in FARM[:4]]
    told = findings(world(*rows))

    assert [one.target for one in told] == [machine.id for machine in FARM[:4]]
    assert {one.evidence["machinesWithThisCode"] for one in told} == {4}


def test_two_servers_are_two_causes() -> None:
    rows = [an_error(machine, SHARED, source=WSUS, clients=3) for machine in FARM[:3]]
    rows += [an_error(machine, SHARED, source="https://wsus02:8531/", clients=3) for machine in FARM[3:6]]

    assert found(UpdateAgentError().detect(world(*rows))) == ["name:wsus01.contoso.com", "name:wsus02"]


def test_a_machine_is_told_by_its_ids_and_not_by_its_name() -> None:
    gone = a_machine("gone")
    rebuilt = an_error(WEB, SHARED, vm_id="ffffffff-0000-4000-8000-000000000000")
    by_vm_id = an_error(WEB, SHARED, vm_id=swapped(WEB.vm_id)) | {"MachineId": ""}

    assert found(UpdateAgentError().detect(world(an_error(gone, SHARED)))) == []
    assert found(UpdateAgentError().detect(world(rebuilt))) == []
    assert found(UpdateAgentError().detect(world(by_vm_id))) == [WEB.id]
    assert found(UpdateAgentError().detect(world(an_error("WEB-01", SHARED)))) == ["name:web-01"]


@pytest.mark.parametrize("missing", ["update-agent-error", "machines", "machine-runs", "runs", "deployments"])
def test_what_could_not_be_read_is_unknown(missing: str) -> None:
    read = world(an_error(WEB, SHARED), unreadable={missing: "503"})

    assert unknown(UpdateAgentError().detect(read)) == {"": "503"}


def test_rows_without_times_and_lists_are_borne() -> None:
    rows = [
        an_error(WEB, SHARED, phase="install", seen="") | {"KBs": None},
        an_error(WEB, "0x80072EE2", phase="install"),
    ]

    assert code(world(*rows)) == "0x80072EE2"


@pytest.mark.parametrize(("said", "free"), [("F:412MB", 412), ("W:7000MB", 7000), ("P:9000MB", None), ("U:x", None)])
def test_a_look_inside_tells_how_little_room_is_left(said: str, free: int | None) -> None:
    read = looked_into(world(an_error(WEB, "0x80070005")), {WEB.id: a_diagnosis(dsk=said)})

    [one] = UpdateAgentError().detect(read)

    assert isinstance(one, Finding)
    assert one.evidence.get("freeMegabytes") == free
