"""What only Table Storage has to bear: answers that are lost on the way, and rows that somebody changed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from azure.core.exceptions import ServiceResponseError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import HTTPPolicy
from azure.core.rest import HttpRequest, HttpResponse
from azure.data.tables import TableClient, UpdateMode

from adapters.ledgers.tables import TableLedger
from engine.ports import Entry, LedgerUnreadable

NOW = datetime(2026, 3, 9, 2, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


def an_entry(id_: str) -> Entry:
    return Entry(run="run", id=id_, kind="step", at=NOW, body={"id": id_})


class LoseAnswers(HTTPPolicy[HttpRequest, HttpResponse]):
    """Lets requests with one of `methods` through, and loses the first answer to each: the SDK asks again."""

    def __init__(self) -> None:
        super().__init__()
        self.methods: frozenset[str] = frozenset()
        self.lost = 0

    def send(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, HttpResponse]:
        response = self.next.send(request)
        # All tries of a request share its context.
        if request.http_request.method in self.methods and "lost" not in request.context:
            request.context["lost"] = True
            self.lost += 1
            raise ServiceResponseError("the connection broke before the answer came")
        return response


@pytest.fixture
def line() -> LoseAnswers:
    return LoseAnswers()


@pytest.fixture
def table(azurite: str, line: LoseAnswers) -> Iterator[TableClient]:
    name = f"ledger{uuid.uuid4().hex}"
    with TableClient.from_connection_string(
        azurite, table_name=name, per_retry_policies=[line], retry_backoff_factor=0
    ) as client:
        yield client


@pytest.fixture
def ledger(table: TableClient) -> TableLedger:
    ledger = TableLedger(lambda: table, "table of this test")
    ledger.runs(1)
    return ledger


def test_an_entry_whose_answer_was_lost_is_still_known_as_ours(ledger: TableLedger, line: LoseAnswers) -> None:
    """The first try wrote it and the second finds it there: whoever asked did write it, and must go on to act."""
    line.methods = frozenset({"POST"})

    assert ledger.append([an_entry("begin")]) == (True,)
    assert ledger.append([an_entry("begin"), an_entry("done")]) == (False, True)

    assert line.lost > 0
    assert ledger.entries("run") == (an_entry("begin"), an_entry("done"))


def test_a_claim_whose_answer_was_lost_is_still_ours(ledger: TableLedger, line: LoseAnswers) -> None:
    line.methods = frozenset({"POST", "PUT"})

    assert ledger.claim("key", "first", NOW, LATER) == "first"
    assert ledger.claim("key", "second", LATER, LATER + timedelta(minutes=1)) == "second"

    assert line.lost > 0
    assert ledger.claim("key", "first", LATER, LATER + timedelta(minutes=1)) == "second"


def test_a_release_whose_answer_was_lost_is_done(ledger: TableLedger, line: LoseAnswers) -> None:
    ledger.claim("key", "first", NOW, LATER)
    line.methods = frozenset({"DELETE"})

    ledger.release("key", "first")

    assert line.lost > 0
    assert ledger.claim("key", "second", NOW, LATER) == "second"


@pytest.mark.parametrize(
    "damage", [{"Body00": b"not zlib"}, {"Body00": b""}, {"Body00": "text"}, {"Digest": "0" * 64, "Parts": 1}]
)
def test_a_damaged_row_is_named(ledger: TableLedger, table: TableClient, damage: dict[str, object]) -> None:
    """Somebody wrote into the table by hand: no entry is better than a wrong one."""
    ledger.append([an_entry("whole")])
    (row,) = table.query_entities("RowKey ge 'entry-' and RowKey lt 'entry.'")
    table.update_entity({**row, **damage}, mode=UpdateMode.REPLACE)

    with pytest.raises(LedgerUnreadable, match=r"table of this test: row entry-\w+ of run run is damaged"):
        ledger.entries("run")


class Count(HTTPPolicy[HttpRequest, HttpResponse]):
    """Notes the method of each request."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def send(self, request: PipelineRequest[HttpRequest]) -> PipelineResponse[HttpRequest, HttpResponse]:
        self.seen.append(request.http_request.method)
        return self.next.send(request)


@pytest.fixture
def count(azurite: str, table: TableClient, ledger: TableLedger) -> Iterator[tuple[TableLedger, Count]]:
    """The same ledger through a line that is counted."""
    ledger.append([an_entry("before")])
    counted = Count()
    with TableClient.from_connection_string(
        azurite, table_name=table.table_name, per_retry_policies=[counted]
    ) as client:
        second = TableLedger(lambda: client, "counted")
        second.runs(1)
        counted.seen.clear()
        yield second, counted


def test_up_to_99_entries_are_two_requests(count: tuple[TableLedger, Count]) -> None:
    """A look at the run's head, and one transaction."""
    ledger, counted = count

    ledger.append([an_entry(f"e{number}") for number in range(99)])

    assert counted.seen == ["GET", "POST"]


def test_what_was_all_written_before_is_three_requests_however_much_it_is(count: tuple[TableLedger, Count]) -> None:
    """The transaction is refused, and one look tells of all of them: a delivery that is repeated costs no more."""
    ledger, counted = count
    entries = [an_entry(f"e{number}") for number in range(300)]
    ledger.append(entries)
    counted.seen.clear()

    assert not any(ledger.append(entries))

    assert counted.seen == ["GET", "POST", "GET"]


def test_a_free_key_is_claimed_with_one_request(count: tuple[TableLedger, Count]) -> None:
    ledger, counted = count

    ledger.claim("key", "first", NOW, LATER)

    assert counted.seen == ["POST"]


def test_rows_of_a_newer_version_are_refused_and_left_alone(table: TableClient, ledger: TableLedger) -> None:
    ledger.append([an_entry("kept")])
    table.upsert_entity({"PartitionKey": "schema", "RowKey": "version", "Version": 99}, mode=UpdateMode.REPLACE)
    older = TableLedger(lambda: table, "table of this test")

    with pytest.raises(LedgerUnreadable, match="was written by a newer version \\(schema 99, this one reads 1\\)"):
        older.append([an_entry("lost")])

    table.delete_entity("schema", "version")
    assert TableLedger(lambda: table, "a table without a version").entries("run") == (an_entry("kept"),)
