"""What jobs of failed Linux machine runs wrote: any size, any encoding, one request a failure."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.jobs import BEGINNING, END, decoded, shortened
from model.documents import Document, Json
from model.facts import Reading
from model.times import format_time
from simulator.fleet import Fleet
from simulator.fleets import generate
from tests.adapters.world import a_world

READINGS = (Reading.MACHINES, Reading.MACHINE_RUNS, Reading.JOB_OUTPUTS)
JOB = "3bd9b3a5-7d0f-4bb4-b9c5-000000000001"


@pytest.mark.parametrize(
    "content",
    [
        "Fehler: Paket für läuft".encode(),
        "Fehler: Paket für läuft".encode("utf-8-sig"),
        "Fehler: Paket für läuft".encode("utf-16"),
        "Fehler: Paket für läuft".encode("utf-16-le"),
        "Fehler: Paket für läuft".encode("utf-16-be"),
    ],
)
def test_text_is_read_in_whatever_encoding_it_came(content: bytes) -> None:
    assert decoded(content) == "Fehler: Paket für läuft"


def test_where_encodings_are_mixed_what_is_ascii_stays_readable() -> None:
    mixed = "Fehler für x\n".encode("latin-1") + b"E: Hash Sum mismatch\n" + "für".encode()

    assert "E: Hash Sum mismatch" in decoded(mixed)


@given(st.binary(max_size=3_000))
def test_no_bytes_are_too_odd(content: bytes) -> None:
    assert "\0" not in decoded(content)


@given(st.text(min_size=0, max_size=200), st.integers(min_value=0, max_value=1_000))
def test_of_a_long_text_beginning_and_end_are_kept(text: str, times: int) -> None:
    whole = text * times
    kept = shortened(whole)

    assert len(kept.text) <= BEGINNING + END + 10
    assert kept.cut == (len(whole) > BEGINNING + END)
    assert kept.text.startswith(whole[:BEGINNING])
    assert kept.text.endswith(whole[-END:])


def a_fleet(*jobs: Document, failures: int = 1, os: str = "Linux", status: str = "Failed") -> Fleet:
    """A generated fleet without machine runs of its own, and so many that failed on as many machines."""
    fleet = generate(60, 3, injured=0)
    kept = [d for d in fleet.documents if not str(d["type"]).endswith("MachineRuns")]
    runs: list[Document] = [
        {
            "id": f"{fleet.account}/softwareUpdateConfigurationMachineRuns/part-{n}",
            "name": f"part-{n}",
            "type": "Microsoft.Automation/automationAccounts/softwareUpdateConfigurationMachineRuns",
            "properties": {
                "targetComputer": f"/subscriptions/{fleet.subscriptions[0]}/machine-{n}",
                "softwareUpdateConfiguration": {"name": "weekly"},
                "status": status,
                "osType": os,
                "correlationId": "run-1",
                "startTime": format_time(fleet.now - timedelta(hours=2)),
                # A name in some answers, a resource id in others.
                "job": {"id": JOB.upper() if n % 2 else f"{fleet.account}/jobs/{JOB}"},
            },
        }
        for n in range(failures)
    ]
    named = [{**job, "id": f"{fleet.account}/jobs/{JOB}"} for job in jobs]
    return dataclasses.replace(fleet, documents=[*kept, *runs, *named])


def a_job(**more: Json) -> Document:
    return {"name": JOB, "type": "Microsoft.Automation/automationAccounts/jobs", **more}


def test_the_output_of_a_failed_linux_job_is_read() -> None:
    with a_world(a_fleet(a_job(output="Reading\nE: Hash Sum mismatch\n"))) as world:
        facts = world.facts(*READINGS)

    assert {id_: output.text for id_, output in facts.job_outputs.items()} == {
        "part-0": "Reading\nE: Hash Sum mismatch\n"
    }


def test_a_megabyte_is_kept_as_beginning_and_end() -> None:
    with a_world(a_fleet(a_job(output="first\n" + "ü" * 1_048_576 + "\nlast"))) as world:
        output = world.facts(*READINGS).job_outputs["part-0"]

    assert output.cut
    assert output.text.startswith("first\n")
    assert output.text.endswith("\nlast")
    assert len(output.text) < 70_000


def test_where_there_is_no_output_the_errors_of_the_streams_are_read() -> None:
    streams: list[Json] = [
        {"id": f"s{n}", "properties": {"streamType": kind, "summary": f"{kind} {n}"}}
        for n, kind in enumerate(("Output", "Error", "Verbose", "Error"))
    ]
    with a_world(a_fleet(a_job(output=" \n", streams=streams))) as world:
        assert world.facts(*READINGS).job_outputs["part-0"].text == "Error 1\nError 3"


def test_a_job_that_is_gone_is_unreadable_and_the_rest_is_there() -> None:
    """Azure keeps what jobs wrote for thirty days."""
    with a_world(a_fleet()) as world:
        facts = world.facts(*READINGS)

    assert facts.job_outputs == {}
    assert "job:part-0" in facts.unreadable
    assert len(facts.machine_runs) == 1


@pytest.mark.parametrize(("os", "status"), [("Windows", "Failed"), ("Linux", "MaintenanceWindowExceeded")])
def test_nobody_else_is_asked(os: str, status: str) -> None:
    with a_world(a_fleet(a_job(output="x"), os=os, status=status)) as world:
        facts = world.facts(*READINGS)
        asked = [r for r in world.azure.requests() if "/jobs/" in str(r["path"])]

    assert (facts.job_outputs, asked) == ({}, [])


def test_requests_grow_with_the_failures() -> None:
    with a_world(a_fleet(a_job(output="x"), failures=7)) as world:
        facts = world.facts(*READINGS)
        asked = [r for r in world.azure.requests() if "/jobs/" in str(r["path"])]

    assert len(facts.job_outputs) == len(asked) == 7
