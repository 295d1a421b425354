"""Generated estates: reproducible, in the format of a fleet folder, and true about what they suffer from."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.states import FailureState
from simulator.fleet import Fleet, load_folder, save_folder
from simulator.fleets import generate, sample
from tests.simulator.estate_oracle import Body, Estate, told, when
from tests.support.parts import shared

ROOT = Path(__file__).parents[2]

sizes = st.integers(1, 60)
seeds = st.integers(0, 2**32 - 1)


def as_bytes(fleet: Fleet) -> bytes:
    logs = {table: list(rows) for table, rows in fleet.logs.items()}
    return json.dumps([fleet.documents, logs, dict(fleet.guests), fleet.truth, fleet.account]).encode()


@given(machines=sizes, seed=seeds)
@settings(max_examples=60, deadline=None)
def test_the_truth_is_what_the_documents_and_rows_show_and_nothing_else(machines: int, seed: int) -> None:
    """Every injury that anyone can read out of the estate is in its truth, with what should follow; no decoy is."""
    fleet = generate(machines, seed)

    assert told(fleet).found == Estate(fleet).found()
    assert not told(fleet).found.keys() & told(fleet).spared


@given(machines=sizes, seed=seeds)
@settings(max_examples=40, deadline=None)
def test_an_estate_has_as_many_machines_as_asked_for_and_each_has_an_id_of_its_own(machines: int, seed: int) -> None:
    estate = Estate(generate(machines, seed))

    assert len(estate.machines) == machines
    assert len({str(document["id"]).lower() for document in estate.fleet.documents}) == len(estate.fleet.documents)
    assert len({vm["properties"]["vmId"] for vm in estate.machines.values()}) == machines


@given(machines=sizes, seed=seeds)
@settings(max_examples=40, deadline=None)
def test_the_past_is_over_and_the_future_is_ahead(machines: int, seed: int) -> None:
    """No row is newer than the present, no live deployment's next run is past, runs ended, and tables are in order."""
    estate = Estate(generate(machines, seed))

    for table, rows in estate.fleet.logs.items():
        times = [str(row["TimeGenerated"]) for row in rows]
        assert times == sorted(times), table
        assert when(times[-1]) <= estate.now
    for deployment in estate.deployments:
        assert estate.next_run(deployment) > estate.now or not estate.is_live(deployment)
        for run in estate.runs_of(deployment):
            assert when(run["properties"]["endTime"]) < estate.now


@given(machines=sizes, seed=seeds)
@settings(max_examples=40, deadline=None)
def test_what_the_documents_name_is_there(machines: int, seed: int) -> None:
    """Deployments name machines that exist, or that are a partner's; runs deployments, machine runs runs that exist."""
    estate = Estate(generate(machines, seed))
    ours = {name.lower() for name in estate.fleet.subscriptions}
    deployments = {each["name"] for each in estate.deployments}
    runs = {each["name"] for each in estate.by_type["softwareupdateconfigurationruns"]}

    for deployment in estate.deployments:
        assert {name for name in estate.names(deployment) if name.split("/")[2] in ours} <= estate.machines.keys()
    for run in [*estate.by_type["softwareupdateconfigurationruns"], *estate.machine_runs]:
        assert run["properties"]["softwareUpdateConfiguration"]["name"] in deployments
    for run in estate.machine_runs:
        assert run["properties"]["correlationId"] in runs
        assert run["properties"]["targetComputer"].lower() in estate.machines
    assert set(estate.fleet.guests) <= estate.machines.keys()


@cache
def large(seed: int) -> Fleet:
    """Of ten seeds three have something wrong with the workspace."""
    return generate(200, seed)


def test_large_estates_have_every_failure_state_and_something_that_only_looks_like_it() -> None:
    truths: list[dict[str, Any]] = [dict(large(seed).truth or {}) for seed in range(10)]

    for listed in ("found", "notFound"):
        assert {each["state"] for truth in truths for each in truth[listed]} == {*FailureState}


@pytest.mark.parametrize("seed", range(10))
def test_a_large_estate_does_not_contradict_itself(seed: int) -> None:
    """Nothing is both found and a decoy, or explained; every document is there once, and so is every machine."""
    fleet = large(seed)
    truth: dict[str, Any] = dict(fleet.truth or {})
    found, spared, explained = (
        {(each["state"], each["target"]) for each in truth[listed]} for listed in ("found", "notFound", "explained")
    )
    estate = Estate(fleet)

    assert not found & spared
    assert not explained & (found | spared)
    assert len(estate.machines) == 200
    assert len({str(document["id"]).lower() for document in fleet.documents}) == len(fleet.documents)


def test_the_same_size_and_seed_give_the_same_estate_in_another_process() -> None:
    program = (
        "import hashlib; from simulator.fleets import generate; from tests.simulator.test_fleets import as_bytes;"
        "print(hashlib.sha256(as_bytes(generate(30, 5))).hexdigest())"
    )
    prints = {
        subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }

    assert len(prints) == 1


def test_another_seed_gives_another_estate() -> None:
    assert as_bytes(generate(30, 5)) != as_bytes(generate(30, 6))


def test_the_present_can_be_any_time() -> None:
    """Months of every length, and a leap day, around midnight too."""
    for now in (datetime(2028, 2, 29, 23, 59, tzinfo=UTC), datetime(2026, 1, 1, 0, 0, tzinfo=UTC),
                datetime(2026, 12, 31, 12, 30, tzinfo=UTC)):  # fmt: skip
        fleet = generate(24, 3, now=now)
        assert fleet.now == now
        assert told(fleet).found == Estate(fleet).found()


def test_a_saved_estate_is_read_back_as_it_was(tmp_path: Path) -> None:
    fleet = generate(24, 11)
    save_folder(fleet, tmp_path)
    again = load_folder(tmp_path)

    assert sorted(again.documents, key=lambda each: str(each["id"])) == sorted(
        fleet.documents, key=lambda each: str(each["id"])
    )
    assert {table: list(rows) for table, rows in again.logs.items()} == {
        table: list(rows) for table, rows in fleet.logs.items()
    }
    assert (again.now, again.guests, again.truth) == (fleet.now, fleet.guests, fleet.truth)


COMPLAINTS = {
    ("hybrid-agent-event-4502", "advice"),
    ("machine-cannot-communicate", "advice"),
    ("machine-cannot-communicate", "plan"),
    ("machine-registered-to-different-account", "advice"),
    ("selfsigned-cert-failure", "plan"),
}
"""What agents write into their logs; these need seven machines more."""


@pytest.mark.parametrize("machines", [20, 24, 40, 60])
@pytest.mark.parametrize("seed", range(5))
def test_twenty_machines_hold_every_injury(machines: int, seed: int) -> None:
    found = Counter((state, then) for (state, _), then in told(generate(machines, seed)).found.items())

    assert found.keys() == {
        ("automation-rp-not-registered", "plan"),
        ("cloned-machine", "advice"),
        ("cloned-machine", "plan"),
        ("maintenance-window-exceeded", "advice"),
        ("maintenance-window-exceeded", "plan"),
        ("source-id-changed", "advice"),
        ("source-id-changed", "plan"),
        ("update-agent-error", "advice"),
        ("vm-stopped", "advice"),
        ("duplicate-computer-name", "advice"),
        ("cross-tenant-linked-subscription", "advice"),
        *(COMPLAINTS if machines >= 40 else ()),
    }


def test_twenty_machines_hold_every_kind_of_advice() -> None:
    estate = Estate(generate(20, 1))
    advised = [target for (_, target), then in told(estate.fleet).found.items() if then == "advice"]
    deployments = {each["id"].lower(): each for each in estate.deployments}
    windows = [deployments[target] for target in advised if target in deployments]
    machines = [target for target in advised if target in estate.machines]

    assert {each["properties"]["updateConfiguration"]["duration"] for each in windows} == {"PT6H", "PT2H"}
    naming = [each for each in estate.deployments if set(machines) & set(estate.names(each))]
    assert any(len(estate.names(each)) == 1 for each in naming)
    assert any(estate.next_run(each) - estate.now < timedelta(minutes=15) for each in naming)


def test_a_machine_that_lost_its_identity_is_named_by_two_deployments() -> None:
    estate = Estate(generate(20, 1))
    named = Counter(name for each in estate.deployments for name in estate.names(each))

    assert 2 in {named[target] for target in estate.source_id_changed()}


def test_a_set_of_clones_is_partly_in_the_scope_of_update_management() -> None:
    estate = Estate(generate(20, 1))
    (scope,) = estate.by_type["savedsearches"]
    inside = [estate.machines[clone]["properties"]["vmId"] in scope["properties"]["query"]
              for clone in estate.cloned_machines()]  # fmt: skip

    assert any(inside)
    assert not all(inside)


# A decoy has teeth: a rule that forgets one thing falls for it.


def by_name_alone(estate: Estate) -> Iterator[str]:
    """Two identities under one computer name, whatever the machine and the agent."""
    seen: Mapping[str, set[str]] = defaultdict(set)
    for row in estate.rows("Heartbeat"):
        seen[row["Computer"]].add(row["SourceComputerId"])
    return (row["_ResourceId"] for row in estate.rows("Heartbeat") if len(seen[row["Computer"]]) > 1)


def by_history_alone(estate: Estate) -> Iterator[str]:
    """Two identities of one machine at any time, whether or not a deployment still minds."""
    seen: Mapping[str, set[str]] = defaultdict(set)
    for row in estate.beats():
        seen[row["_ResourceId"]].add(row["SourceComputerId"])
    return (machine for machine, identities in seen.items() if len(identities) > 1)


def by_any_agent(estate: Estate) -> Iterator[str]:
    """Two identities that beat now, of whichever agent."""
    seen: Mapping[str, set[str]] = defaultdict(set)
    for row in estate.rows("Heartbeat"):
        if estate.now - when(row["TimeGenerated"]) < timedelta(hours=1):
            seen[row["_ResourceId"]].add(row["SourceComputerId"])
    return (machine for machine, identities in seen.items() if len(identities) > 1)


def by_byte_order(estate: Estate) -> Iterator[str]:
    """A heartbeat whose VM id is nobody's, taken literally."""
    known = {vm["properties"]["vmId"] for vm in estate.machines.values()}
    return (row["_ResourceId"] for row in estate.beats()
            if row["VMUUID"].lower() not in known and row["_ResourceId"] in estate.machines)  # fmt: skip


def by_ids_of_a_day(estate: Estate) -> Iterator[str]:
    """Two resource ids with one identity within a day, whether or not they are one machine."""
    seen: Mapping[str, set[str]] = defaultdict(set)
    for row in estate.beats():
        if estate.now - when(row["TimeGenerated"]) < timedelta(days=1):
            seen[row["SourceComputerId"]].add(row["_ResourceId"])
    return (machine for machines in seen.values() if len(machines) > 1 for machine in machines)


def by_ids_of_a_month(estate: Estate) -> Iterator[str]:
    """Two machines with one identity, though one has been gone for days."""
    seen: Mapping[str, dict[str, str]] = defaultdict(dict)
    for row in estate.beats():
        seen[row["SourceComputerId"]][row["_ResourceId"]] = row["VMUUID"]
    return (machine for machines in seen.values() if len(set(machines.values())) > 1 for machine in machines)


def by_failure_to_start(estate: Estate) -> Iterator[str]:
    """Failed to start in the newest run, for whatever reason."""
    newest = {runs[-1]["name"] for each in estate.deployments if (runs := estate.runs_of(each))}
    return (run["properties"]["targetComputer"].lower() for run in estate.machine_runs
            if (run["properties"]["status"], run["properties"]["correlationId"] in newest)
            == ("FailedToStart", True))  # fmt: skip


def by_any_failed_run(estate: Estate) -> Iterator[str]:
    """Failed to start under another identity in any run, even if a later one succeeded."""
    now = {row["_ResourceId"]: row["SourceComputerId"] for row in estate.beats()}
    return (run["properties"]["targetComputer"].lower() for run in estate.machine_runs
            if run["properties"]["status"] == "FailedToStart"
            and now[run["properties"]["targetComputer"].lower()] != run["properties"]["sourceComputerId"])  # fmt: skip


def by_any_exceeded_run(estate: Estate) -> Iterator[str]:
    """One exceeded run, of whatever deployment, window and age."""
    for deployment in estate.deployments:
        if any(run["properties"]["status"] == "MaintenanceWindowExceeded" for run in estate.runs_of(deployment)):
            yield deployment["id"].lower()


def by_two_of_three(estate: Estate) -> Iterator[str]:
    """Two of the last three runs exceeded, without a look at the window they had."""
    for deployment in estate.deployments:
        last = [run["properties"]["status"] for run in estate.runs_of(deployment)][-3:]
        if last.count("MaintenanceWindowExceeded") >= 2 and estate.is_live(deployment):
            yield deployment["id"].lower()


def by_exceeded_updates(estate: Estate) -> Iterator[str]:
    """An update did not fit the window, whatever else went wrong in the run."""
    names = {row["UpdateRunName"] for row in estate.rows("UpdateRunProgress")
             if row["InstallationStatus"] == "MaintenanceWindowExceeded"}  # fmt: skip
    return (each["id"].lower() for each in estate.deployments if each["name"] in names)


def by_not_registered(estate: Estate) -> Iterator[str]:
    """Anything but `Registered`."""
    return (each["id"].lower().split("/providers/")[0] for each in estate.by_type["providers"]
            if each["registrationState"] != "Registered")  # fmt: skip


@pytest.mark.parametrize(
    ("careless", "state", "spared"),
    [
        (by_name_alone, "source-id-changed", "one computer name, but two machines and two identities"),
        (by_history_alone, "source-id-changed", "the identity changed long ago and the deployment runs with"),
        (by_any_agent, "source-id-changed", "the second identity belongs to the Azure Monitor Agent"),
        (by_byte_order, "source-id-changed", "the heartbeat has the VM's id in the other byte order"),
        (by_ids_of_a_day, "cloned-machine", "one machine that was moved"),
        (by_ids_of_a_month, "cloned-machine", "restored with the identity of a machine that has been gone"),
        (by_failure_to_start, "source-id-changed", "the machine was stopped; its identity is what it was"),
        (by_any_failed_run, "source-id-changed", "a later run of the same deployment succeeded"),
        (by_any_exceeded_run, "maintenance-window-exceeded", "a one-time deployment that is over"),
        (by_any_exceeded_run, "maintenance-window-exceeded", "disabled"),
        (by_exceeded_updates, "maintenance-window-exceeded", "the same run failed to download"),
        (by_two_of_three, "maintenance-window-exceeded", "widened since, and the newest run succeeded"),
        (by_not_registered, "automation-rp-not-registered", "Registering is on its way"),
    ],
)
@pytest.mark.parametrize("machines", [20, 24, 60])
def test_every_decoy_is_there_and_fools_a_careless_rule(
    careless: Callable[[Estate], Iterator[str]], state: str, spared: str, machines: int
) -> None:
    estate = Estate(generate(machines, 2))
    truth: dict[str, Any] = dict(estate.fleet.truth or {})
    decoys = {each["target"] for each in truth["notFound"] if each["state"] == state and each["why"].startswith(spared)}

    assert decoys
    assert decoys & set(careless(estate))


def test_an_estate_without_injuries_still_has_its_decoys() -> None:
    truth = told(generate(40, 1, injured=0))

    assert not truth.found
    assert len(truth.spared) > 10


@pytest.mark.parametrize("machines", [0, -1])
def test_an_estate_of_no_machines_is_refused(machines: int) -> None:
    with pytest.raises(ValueError, match="at least one machine"):
        generate(machines, 1)


def test_a_large_estate_is_injured_in_proportion_and_stays_within_azures_limits() -> None:
    """Ten thousand machines: one in a hundred injured, a thousand machines at most in a deployment, few rows each."""
    estate = Estate(generate(10_000, 1))
    targets = {target for _, target in told(estate.fleet).found}
    touched = (targets & estate.machines.keys()) | {
        machine for each in estate.deployments if each["id"].lower() in targets for machine in estate.names(each)
    }

    assert 70 <= len(touched) <= 130
    assert max(len(estate.names(each)) for each in estate.deployments) <= 1000
    assert len(estate.machine_runs) < 3 * 10_000
    assert sum(1 for _ in estate.rows("Heartbeat")) < 6 * 10_000
    system = [
        each for each in estate.by_type["hybridrunbookworkergroups"] if each["properties"]["groupType"] == "System"
    ]
    assert len(system) <= 4000
    failed = {run["properties"]["targetComputer"].lower() for run in estate.machine_runs
              if run["properties"]["status"] == "FailedToStart"}  # fmt: skip
    assert {target for (state, target) in told(estate.fleet).found if state == "source-id-changed"} <= failed


def test_the_sample_shows_all_four_states_with_something_to_do_for_each() -> None:
    fleet = sample()
    planned = {state for (state, _), then in told(fleet).found.items() if then == "plan"}

    assert len(Estate(fleet).machines) == 24
    assert len(planned) == 4
    assert told(fleet).found == Estate(fleet).found()
    assert told(fleet).spared


def shape(value: object, path: str = "") -> Iterator[str]:
    """Every path at which a document has a value."""
    match value:
        case dict():
            for key, inner in value.items():
                yield from shape(inner, f"{path}.{key}")
        case list():
            for inner in value:
                yield from shape(inner, f"{path}[]")
        case _:
            yield path


def test_documents_and_rows_have_the_form_of_the_example_estate() -> None:
    """Nothing is in a generated document or row that the example estate, written from Azure's documents, has not."""
    example, generated = load_folder(shared("fleets/contoso")), generate(40, 1)

    def shapes(documents: list[Body]) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for document in documents:
            found[document["type"].lower()] |= set(shape(document))
        return found

    known = shapes(list(example.documents))
    # Azure Lighthouse's, in Azure's description of a subscription; nobody manages those of the example.
    known["microsoft.resources/subscriptions"].add(".managedByTenants[].tenantId")
    for kind, paths in shapes(list(generated.documents)).items():
        assert paths - known[kind] == set(), kind
    for table, rows in generated.logs.items():
        if table not in example.logs:
            continue
        columns = {frozenset(row) for row in rows}
        assert columns == {frozenset(row) for row in example.logs[table]}, table
