"""Resource Graph: every row, or an exception."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import graph
from adapters.arm import Arm
from adapters.clients import Clients
from engine.ports import AzureUnavailable
from model.documents import Document, at, list_at, text_at
from tests.adapters.stub import Answers, Asked, Said, answering, graph_page

ROWS: list[Document] = [{"id": f"/subscriptions/s/{number}"} for number in range(5)]


def all_rows(answers: Answers, subscriptions: int = 1) -> list[Document]:
    with answering(answers) as azure:
        arm = Arm(Clients(azure.url, read_only=True, back_off=0))
        return graph.rows(arm, "resources", [f"s{number}" for number in range(subscriptions)])


def token_of(asked: Asked) -> str:
    assert isinstance(asked.body, dict)
    options = asked.body["options"]
    assert isinstance(options, dict)
    return text_at(options, "$skipToken")


def in_pages(cuts: list[int]) -> Answers:
    """The rows, cut at these places."""
    places = [0, *sorted(cuts), len(ROWS)]

    def answer(asked: Asked) -> Said:
        number = int(token_of(asked) or 0)
        rows = ROWS[places[number] : places[number + 1]]
        last = number + 2 == len(places)
        return graph_page(rows, total=len(ROWS), token="" if last else str(number + 1))

    return answer


@settings(max_examples=25)  # each with a server of its own
@given(st.lists(st.integers(0, len(ROWS)), max_size=4))
def test_however_the_rows_are_cut_into_pages_all_come_in_order(cuts: list[int]) -> None:
    assert all_rows(in_pages(cuts)) == ROWS


@pytest.mark.parametrize(
    "said",
    [
        graph_page(ROWS, total=6),
        graph_page(ROWS, total=4),
        graph_page(ROWS, total=10, truncated=True),
        graph_page(ROWS, truncated=True),
        graph_page(ROWS, total=10, token="again"),
        Said(body={"totalRecords": 5, "count": 4, "data": list(ROWS)}),
        Said(body={"totalRecords": 1, "count": 1, "data": ["row"]}),
        Said(body={"totalRecords": 0, "count": 0, "data": {"columns": [], "rows": []}}),
        Said(body={"totalRecords": None, "count": 0, "data": []}),
        Said(body={}),
        Said(body=[]),
        Said(status=204),
        Said(status=400, body={"error": {"code": "BadRequest", "message": "query"}}),
    ],
    ids=str,
)
def test_an_answer_that_does_not_add_up_is_no_inventory(said: Said) -> None:
    """Rows that are missing would be machines that are missing."""
    with pytest.raises(AzureUnavailable):
        all_rows(lambda _: said)


def test_a_machine_that_came_between_two_pages_is_read_again() -> None:
    """Once: an inventory that changes under every reading stays unreadable."""
    gone = graph_page(ROWS[:3], total=5, token="1"), graph_page(ROWS[4:], total=5)
    whole = in_pages([3])
    asked: list[Asked] = []

    def answer(request: Asked) -> Said:
        asked.append(request)
        return gone[len(asked) - 1] if len(asked) <= len(gone) else whole(request)

    assert all_rows(answer) == ROWS


def test_many_subscriptions_are_asked_for_in_groups() -> None:
    asked: list[Asked] = []

    def answer(request: Asked) -> Said:
        asked.append(request)
        return graph_page([])

    assert all_rows(answer, subscriptions=205) == []
    groups = [list_at(request.body, "subscriptions") for request in asked if isinstance(request.body, dict)]
    assert [len(group) for group in groups] == [100, 100, 5]
    assert len({str(s) for group in groups for s in group}) == 205
    assert all(at(r.body, "options.$top") == graph.ROWS_A_PAGE for r in asked if isinstance(r.body, dict))
