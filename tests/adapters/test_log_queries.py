"""Log Analytics: a result that is not whole is no result, and the reason names what to do."""

from __future__ import annotations

import pytest

from adapters import log_queries
from adapters.clients import Clients
from adapters.log_queries import answer_queries
from model.documents import Document, Json, at, list_at
from model.facts import Row, Unreadable
from tests.adapters.stub import Answers, Asked, Said, answering, batch, table

COLUMNS = {"Computer": "string", "N": "long"}


def asked_of(answers: Answers, *names: str) -> dict[str, tuple[Row, ...] | Unreadable]:
    with answering(answers) as azure:
        clients = Clients(azure.url, read_only=True, back_off=0)
        return answer_queries(clients, "guid", {name: f"{name} | take 1" for name in names or ("q",)})


def why(answers: Answers) -> str:
    answer = asked_of(answers)["q"]
    assert isinstance(answer, Unreadable)
    return answer.what


def parts_of(asked: Asked) -> list[Document]:
    """The queries of a batch."""
    assert isinstance(asked.body, dict)
    return [part for part in list_at(asked.body, "requests") if isinstance(part, dict)]


def error(code: str, message: str, *inner: tuple[str, str]) -> Document:
    nested: Json = None
    for inner_code, inner_message in reversed(inner):
        nested = {"code": inner_code, "message": inner_message, "innererror": nested}
    return {"error": {"code": code, "message": message, "innererror": nested}}


def test_all_queries_go_in_one_request_and_come_back_under_their_names() -> None:
    """Whatever the order of the answers."""

    def answers(asked: Asked) -> Said:
        parts = [
            {"id": part["id"], "status": 200, "body": table({"Q": "string"}, [at(part, "body.query")])}
            for part in parts_of(asked)
        ]
        return Said(body={"responses": parts[::-1]})

    with answering(answers) as azure:
        found = answer_queries(Clients(azure.url, read_only=True), "guid", {"a": "Heartbeat", "b": "Update"})
    assert found == {"a": ({"Q": "Heartbeat"},), "b": ({"Q": "Update"},)}
    assert len(azure.asked) == 1


def test_more_queries_than_a_batch_takes_are_split() -> None:
    def answers(asked: Asked) -> Said:
        parts = parts_of(asked)
        assert len(parts) <= log_queries.QUERIES_A_BATCH
        return batch(*[table(COLUMNS, ["m", 1]) for _ in parts])

    names = [f"q{number}" for number in range(23)]
    assert asked_of(answers, *names) == dict.fromkeys(names, ({"Computer": "m", "N": 1},))


def test_cells_come_as_json_and_times_in_one_spelling() -> None:
    columns = {"At": "datetime", "Names": "dynamic", "On": "bool", "Off": "bool", "Text": "string", "None": "datetime"}
    row: list[Json] = ["2026-03-10T05:59:00.1234567Z", '["a","b"]', 1, False, '["kept"]', None]
    answer = asked_of(lambda _: batch(table(columns, row)))["q"]
    assert answer == (
        {
            "At": "2026-03-10T05:59:00.123Z",
            "Names": ["a", "b"],
            "On": True,
            "Off": False,
            "Text": '["kept"]',
            "None": None,
        },
    )


def test_nothing_found_is_a_result() -> None:
    assert asked_of(lambda _: batch(table(COLUMNS)))["q"] == ()


def test_a_partial_result_is_none() -> None:
    """Missing rows would look like missing machines."""
    body = table(COLUMNS, ["m", 1]) | error(
        "PartialError", "There were some errors", ("QueryExecutionError", "too large")
    )
    assert why(lambda _: batch(body)) == "query q: only a part of the result came: too large"


def test_a_table_that_no_solution_ever_filled_is_named() -> None:
    inner = (
        ("SemanticError", "A semantic error occurred."),
        (
            "SEM0100",
            "'where' operator: Failed to resolve table or column expression named 'Update'",
        ),
    )
    body = error("BadArgumentError", "The request had some invalid properties", *inner)
    assert why(lambda _: batch(body, status=400)) == (
        "query q: table Update does not exist: the solution was never installed"
    )


@pytest.mark.parametrize("said", [Said(status=204), Said(status=200, body=b""), batch(None, status=204), batch("")])
def test_an_empty_workspace_is_said_to_be_empty(said: Said) -> None:
    assert "workspace is empty" in why(lambda _: said)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (Said(status=403, body=error("InsufficientAccessError", "no access")), "403 InsufficientAccessError"),
        (Said(status=429, headers={"Retry-After": "900"}), "429"),
        (Said(status=504), "504"),
        (Said(body=b"<html>"), "not JSON"),
        (Said(body={"responses": "none"}), "0 times"),
        (Said(body={"responses": []}), "0 times"),
        (Said(body={"responses": [{"id": "1", "status": 200}] * 2}), "2 times"),
        (batch(error("ThrottledError", "too many"), status=429), "429 ThrottledError: too many"),
        (batch({}, status=500), "500"),
        (batch({"tables": []}), "without a table"),
        (batch({"tables": [{"name": "PrimaryResult", "columns": [], "rows": []}]}), "without columns"),
        (
            batch({"tables": [{"name": "PrimaryResult", "columns": [{"name": "a", "type": "long"}]}]}),
            "without columns or rows",
        ),
        (batch(table(COLUMNS, ["too", 1, "long"])), "does not fit"),
        (batch([1]), "not an object"),
        (batch("{"), "not JSON"),
    ],
    ids=str,
)
def test_what_is_not_a_whole_result_says_why(said: Said, words: str) -> None:
    assert words in why(lambda _: said)


def test_a_result_at_the_row_limit_was_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Log Analytics stops at a number of rows; exactly that many cannot be told from more."""
    monkeypatch.setattr(log_queries, "MOST_ROWS", 3)
    assert "cuts a result off" in why(lambda _: batch(table(COLUMNS, ["m", 0], ["m", 1], ["m", 2])))


def test_one_bad_query_does_not_spoil_the_others() -> None:
    body = {
        "responses": [
            {"id": "1", "status": 400, "body": error("BadArgumentError", "syntax")},
            {"id": "2", "status": 200, "body": table(COLUMNS, ["m", 1])},
        ]
    }
    found = asked_of(lambda _: Said(body=body), "bad", "good")
    assert isinstance(found["bad"], Unreadable)
    assert found["good"] == ({"Computer": "m", "N": 1},)


def test_a_body_that_is_text_within_the_json_is_read() -> None:
    assert asked_of(lambda _: batch('{"tables": [{"name": "T", "columns": [{"name": "a"}], "rows": [[1]]}]}'))["q"] == (
        {"a": 1},
    )
