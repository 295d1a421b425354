"""Shorter SQL for columns that are known to hold text.

The translator knows columns by name alone. Wherever KQL wants a text it therefore asks for the type while the query
runs (`CASE typeof("Computer") WHEN 'JSON' … ELSE … END`), again and again, and DuckDB takes longer to read such a
statement than to run it. The types of the simulated tables are known, and so is the answer.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

_QUOTED: Final = r"""'(?:[^']|'')*'|"(?:[^"]|"")*\""""
"""Texts and names: no word in them is one of the statement's."""
_TOKENS: Final = re.compile(rf"{_QUOTED}|\b(?:CASE|ELSE|END)\b|[()]")
_QUESTIONS: Final = re.compile(rf"""{_QUOTED}|\bCASE (?:WHEN )?typeof\("(?P<column>[^"]+)"\)(?: = 'JSON' THEN )?""")
_NAMED: Final = re.compile(rf'{_QUOTED}| AS "(?P<name>[^"]+)"')
# Each begins where an item of a SELECT does, so that it is the whole of it.
_ITEM: Final = r"(?:\bSELECT |\bDISTINCT |, )"
_COPY: Final = re.compile(rf"""{_ITEM}(?:\w+\.)?"(?P<column>[^"]+)"$""")
_NEWEST: Final = re.compile(
    rf"""{_ITEM}COALESCE\(arg_m(?:ax|in)\(\{{'v': "(?P<column>[^"]+)"\}}, "[^"]+"\), """
    r"""any_value\(\{'v': "(?P=column)"\}\)\)\['v'\]$"""
)
_TEXT_CALL: Final = re.compile(rf"{_ITEM}(?:lower|upper|trim|concat|substring|replace)$")
_CAST: Final = re.compile(rf"{_ITEM}CAST$")


def without_type_questions(sql: str, known: frozenset[str]) -> str:
    """The statement with each question about the type of a text column replaced by its answer.

    `known`: columns that are text in every table that has them. One whose name the query also gives to something else
    is left alone.
    """
    texts = _texts(sql, known)
    position = 0
    while found := _QUESTIONS.search(sql, position):
        if found["column"] in texts:
            position = found.start()
            otherwise, end = _otherwise(sql, position)
            sql = f"{sql[:position]}({otherwise}){sql[end:]}"
        else:
            position = found.end()
    return sql


def _otherwise(sql: str, start: int) -> tuple[str, int]:
    """What the CASE that begins at `start` is where no WHEN holds, and where it ends."""
    depth, after_else = 0, start
    for token in _TOKENS.finditer(sql, start):
        match token[0]:
            case "CASE":
                depth += 1
            case "ELSE" if depth == 1:
                after_else = token.end()
            case "END":
                depth -= 1
                if not depth:
                    return sql[after_else : token.start()].strip(), token.end()
    raise ValueError("a CASE is not ended")


def _texts(sql: str, known: frozenset[str]) -> frozenset[str]:
    """Those of the known columns that are text wherever the statement speaks of them."""
    calls = dict(_calls(sql))
    made_from: dict[str, set[str]] = defaultdict(set)
    for found in _NAMED.finditer(sql):
        if not found["name"]:
            continue
        end = found.start()
        start = max(0, end - 400)
        if copied := _COPY.search(sql, start, end) or _NEWEST.search(sql, start, end):
            made_from[found["name"]].add(copied["column"])
        elif not _gives_text(sql, calls.get(end, 0), end):
            made_from[found["name"]].add("")
    texts = set(known)
    # Each round takes away what is made from something that need not be text.
    while lost := {name for name in texts if not made_from.get(name, set()) <= texts}:
        texts -= lost
    return frozenset(texts)


def _gives_text(sql: str, opened: int, end: int) -> bool:
    """Whether the call that ends here does; its parenthesis was opened at `opened`."""
    start = max(0, opened - 40)
    is_cast = _CAST.search(sql, start, opened) and sql.endswith(" AS VARCHAR)", opened, end)
    return bool(is_cast or _TEXT_CALL.search(sql, start, opened))


def _calls(sql: str) -> Iterator[tuple[int, int]]:
    """Where each parenthesis closes, and where it was opened."""
    opened: list[int] = []
    for token in _TOKENS.finditer(sql):
        if token[0] == "(":
            opened.append(token.start())
        elif token[0] == ")" and opened:
            yield token.end(), opened.pop()
