"""Every query of the project, read by Microsoft's own parser against the tables as Microsoft documents them.

`tables.json` has the columns by type: of Log Analytics for `detectors/`, of Resource Graph for `adapters/`.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import NamedTuple, cast

from tests.support.node import node
from tests.support.parts import shared

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

LOGS, GRAPH = "logs", "resource-graph"
FOLDERS = {"detectors": LOGS, "remediations": LOGS, "engine": LOGS, "adapters": GRAPH}
"""Where queries may stand, and what each folder's are asked of; a query ending in `.log.kql` is asked of the logs."""

OTHERS = {".git", ".venv", "build", "node_modules", "tests"}


class Query(NamedTuple):
    name: str
    database: str
    text: str


def problems(queries: list[Query]) -> dict[str, list[str]]:
    """What the parser says of each query by name, as `code at line:column: message`. One process reads them all."""
    tables = json.loads((HERE / "tables.json").read_text(encoding="utf-8"))
    asked = json.dumps({"databases": tables, "queries": [query._asdict() for query in queries]})
    answered = subprocess.run(
        [node(), str(HERE / "check.js")], input=asked, capture_output=True, text=True, check=False, timeout=120
    )
    assert answered.returncode == 0, answered.stderr[-2000:]
    return {
        answer["name"]: [f"{p['code']} at {p['line']}:{p['column']}: {p['message']}" for p in answer["problems"]]
        for answer in json.loads(answered.stdout)
    }


def project_queries() -> list[Query]:
    """Every `.kql` of the project, whichever folder it turned up in."""
    found = []
    for folder in sorted(path for path in ROOT.iterdir() if path.is_dir() and path.name not in OTHERS):
        for path in sorted(folder.rglob("*.kql")):
            database = LOGS if path.name.endswith(".log.kql") else FOLDERS.get(folder.name, "")
            found.append(Query(str(path.relative_to(ROOT)), database, path.read_text(encoding="utf-8")))
    return found


def test_every_query_is_clean() -> None:
    """No unknown table, column or function, no comparison of different types, nothing that is not a query."""
    queries = project_queries()
    assert {query.name.split("/")[0] for query in queries} >= {"detectors", "adapters"}
    assert [query.name for query in queries if not query.database] == []

    assert problems(queries) == {query.name: [] for query in queries}


WRONG = {
    "an unknown column": ("Heartbeat | where SourceComputerID == 'x'", "KS142 at 1:19"),
    "an unknown table": ("Hartbeat | take 1", "KS204 at 1:1"),
    "an unknown function": ("Heartbeat\n| extend Now = today()", "KS211 at 2:16"),
    "a bracket too few": ("Heartbeat | where (Computer == 'x'", "KS005 at 1:35"),
    "a column that was projected away": ("Heartbeat | project Computer | where Category == 'x'", "KS142 at 1:38"),
    "a table of Resource Graph asked of the logs": ("resources | take 1", "KS204 at 1:1"),
    "a time compared with text": ("Heartbeat | where TimeGenerated > 'x'", "KS106 at 1:33"),
    "a bool compared with text": (
        "Update | where Approved != 'False'",
        "types at 1:16: A bool is compared with a string.",
    ),
    "text compared with a number": ("Heartbeat | where Computer == 1", "types at 1:19"),
    "a bool in a list of texts": ("Update | where Approved in ('true')", "types at 1:16"),
    "a command": (".drop table Heartbeat", "query at 1:1: This is not a query."),
    "nothing": ("// later", "query at 1:1: This is not a query."),
}


def test_what_is_wrong_is_found() -> None:
    """The check itself can fail: each of these is one mistake, and it is pointed at."""
    found = problems([Query(name, LOGS, text) for name, (text, _) in WRONG.items()])

    missed = {
        name: found[name] for name, (_, said) in WRONG.items() if not any(p.startswith(said) for p in found[name])
    }
    assert missed == {}


def test_the_databases_do_not_share_their_tables() -> None:
    found = problems(
        [Query("logs", GRAPH, "Heartbeat | take 1"), Query("graph", GRAPH, "resources | project id, tags")]
    )
    assert found["graph"] == []
    assert found["logs"][0].startswith("KS204 at 1:1")


def test_the_tables_are_those_of_the_documented_schema() -> None:
    """Each table of Log Analytics has a section of the schema, and each column stands in it with its type's section."""
    schema = shared("domain/log-schema.md").read_text(encoding="utf-8")
    sections = {
        found[1]: found[0] for found in re.finditer(r"^## (\w+)[^\n]*\n(?:(?!^## ).*\n?)*", schema, re.MULTILINE)
    }
    # A function of Operation's section, with the columns named there.
    sections["_LogOperation"] = sections["Operation"]
    logs = json.loads((HERE / "tables.json").read_text(encoding="utf-8"))["logs"]
    tables = cast("dict[str, dict[str, list[str]]]", logs["tables"])

    undocumented = {
        f"{table}.{column}"
        for table, types in tables.items()
        for columns in types.values()
        for column in columns
        if not re.search(rf"\b{column}\b", sections[table])
    }

    assert undocumented == set()
    assert all(re.search(rf"`{column}`", schema) for columns in logs["everyTable"].values() for column in columns)
