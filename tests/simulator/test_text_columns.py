"""Statements become shorter, and answer what they answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from simulator import kql
from simulator.fleets import generate
from simulator.logs import LogStore
from tests.kql.test_queries import LOGS, project_queries

FLEET = generate(150, 5)

ABUSED = (
    # A column's name is given to something that is no text, in one part of a query and in another.
    """Heartbeat | extend Computer = todynamic('{"a": 1}') | project T = tostring(Computer), OSType""",
    """Heartbeat | summarize Computer = count() by OSType | extend T = strcat('n', Computer) | order by OSType asc""",
    """Heartbeat | summarize Computer = make_set(OSType)
        | project T = tostring(Computer), N = array_length(Computer)""",
    """Heartbeat | extend Computer = TimeGenerated | summarize T = max(tostring(Computer)) by OSType
        | order by OSType asc""",
    """Heartbeat | extend Solutions = split(Solutions, ',') | mv-expand Solutions
        | summarize count() by tostring(Solutions) | order by Solutions asc""",
    """Heartbeat | project Computer = strlen(Computer), OSType
        | summarize max(tostring(Computer)) by tolower(OSType)""",
    """let a = Heartbeat | summarize Computer = dcount(Computer) by OSType;
        let b = Heartbeat | summarize arg_max(TimeGenerated, Computer) by OSType;
        b | join kind=inner a on OSType | project T = tolower(Computer), U = tostring(Computer1) | order by T asc""",
    """Heartbeat | extend Computer = Computer == tolower(OSType) | summarize count() by tostring(Computer)""",
    """union Heartbeat, (Update | extend OSType = 1) | summarize count() by tostring(OSType)""",
    # Words of SQL inside of texts.
    """Heartbeat | extend Computer = 'CASE typeof("OSType") ELSE (' | summarize count() by tolower(Computer), OSType""",
    """Heartbeat | where Computer !~ 'END " AS "OSType' | summarize count() by toupper(OSType) | order by count_ asc""",
)


@pytest.fixture(scope="module")
def logs() -> Iterator[LogStore]:
    store = LogStore("guid", FLEET.logs)
    yield store
    store.connection.close()


def ask(logs: LogStore, query: str, *, knowing: bool) -> kql.Result | str:
    names = kql.Names.of(logs.schemas)
    names = names if knowing else replace(names, texts=frozenset())
    try:
        return kql.execute(logs.connection, query, FLEET.now, names)
    except kql.QueryRejected as rejected:
        return rejected.inner


@pytest.mark.parametrize(
    "query",
    [
        *(pytest.param(query.text, id=Path(query.name).stem) for query in project_queries() if query.database == LOGS),
        *ABUSED,
    ],
)
def test_a_query_answers_the_same_whether_types_are_known_or_not(logs: LogStore, query: str) -> None:
    assert ask(logs, query, knowing=True) == ask(logs, query, knowing=False)


@pytest.mark.parametrize("query", ABUSED)
def test_the_abused_queries_are_answered(logs: LogStore, query: str) -> None:
    """Two refusals would be alike as well."""
    answer = ask(logs, query, knowing=True)
    assert isinstance(answer, kql.Result), answer
    assert answer.rows


def test_most_of_a_statement_goes() -> None:
    names = kql.Names.of({"Heartbeat": {"Computer": "string", "OSType": "string", "Size": "long"}})
    query = "Heartbeat | where isnotempty(Computer) and tolower(OSType) == 'linux' | project tostring(Size)"
    plain, _ = kql._translated(query, replace(names, texts=frozenset()))
    shorter, _ = kql._translated(query, names)
    assert 'typeof("Computer")' in plain
    assert 'typeof("Computer")' not in shorter
    assert 'typeof("OSType")' not in shorter
    assert shorter.count('typeof("Size")') == plain.count('typeof("Size")') > 0


def test_a_column_that_is_no_text_in_one_table_is_left_alone() -> None:
    shape = {"A": {"Mixed": "string", "Text": "string"}, "B": {"Mixed": "dynamic", "Text": "string"}}
    assert kql.Names.of(shape).texts == {"Text"}
