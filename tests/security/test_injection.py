"""Whatever somebody called a machine, wrote into a tag or made a log say: Azure, machines and browsers take it as text.

An estate in which hostile text stands behind every name, tag, description and line of a log is swept and repaired; what
counts is what was really sent, as the simulated Azure logged it, and what a real browser made of the page.
"""

from __future__ import annotations

import io
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

import pytest
from rich.console import Console
from starlette.requests import Request

from adapters.arm import Arm
from adapters.clients import Clients
from adapters.dynamic_groups import targets_of
from cli.page import page
from cli.sheet import Sheet
from cli.terminal import write_run
from cli.view import run_view
from engine.ports import AzureUnavailable
from model.documents import Document, at, list_at, text_at
from simulator import app
from simulator.fleet import Fleet
from simulator.serve import running
from simulator.web import Call
from tests.adapters.stub import Said, answering
from tests.builders import ACCOUNT
from tests.cli.documents import KEY, a_run
from tests.round_trip.estate import suffering
from tests.round_trip.test_every_fix import LATER, an_engine, swept
from tests.security.browser import browsed, elements
from tests.security.corpus import ALL, HTML, hostile, texts_of

ROOT: Final = Path(__file__).parents[2]
SCRIPTS: Final = frozenset(
    file.read_text(encoding="utf-8") for file in (ROOT / "remediations" / "scripts").rglob("*.*") if file.is_file()
)
LIST: Final = re.compile(r"^(let \w+ = dynamic\()(.*)(\);)$", re.MULTILINE)
"""The only place of a query that is not constant: a list, as JSON."""
GUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
GUID_ITSELF: Final = "24c0d902-60fd-5980-974b-b817b9a4528b"
SEGMENT: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-F]{2})+")
"""What RFC 3986 lets a segment of a path be."""
OUR_WORDS: Final = re.compile(r"(?:/[a-z.$]+|/pw-[0-9a-f]{24}|/updates\(law-fabrikam\))*")
"""What we put behind an id."""
FILTERS: Final = re.compile(
    r"properties/correlationId eq G|properties/streamType eq 'Error'|"
    r"(?:properties/status eq '[A-Za-z]+')?(?: and )?(?:properties/startTime ge T)?(?: and properties/startTime le T)?"
)
POLICY: Final = re.compile(r"<meta http-equiv=\"Content-Security-Policy\"[^>]*>")
PARAMETER: Final = re.compile(r"[A-Za-z0-9]{1,128}")


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One request as it came over the wire, nothing of it decoded."""

    method: str
    path: str
    query: str
    body: Document

    @property
    def parameters(self) -> list[tuple[str, str]]:
        return parse_qsl(self.query, keep_blank_values=True, strict_parsing=bool(self.query))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Sent]:
    """Everything that any simulated Azure of this test is sent, as it is sent."""
    found: list[Sent] = []
    taken = app._call

    def also_here(request: Request, body: bytes) -> Call:
        raw, query = request.scope["raw_path"].decode(), request.scope["query_string"].decode()
        if not raw.startswith("/_simulator/"):
            found.append(Sent(method=request.method, path=raw, query=query, body=json.loads(body or b"{}")))
        return taken(request, body)

    monkeypatch.setattr(app, "_call", also_here)
    return found


def test_no_text_from_outside_is_more_than_text(sent: list[Sent], tmp_path: Path) -> None:
    """One journey and one test: to make it costs more than to look at it."""
    estate = hostile(suffering())
    with running(estate) as azure:
        azure.advance(LATER)
        run = swept(an_engine(azure, tmp_path), applies=True)
    it_was_worth_looking(run, sent)
    queries_are_ours_word_for_word(sent, estate)
    scripts_are_ours_word_for_word(sent)
    parameters_are_literals(sent)
    filters_are_ours(sent)
    paths_are_encoded_and_lead_where_they_say(sent, estate)
    the_scope_query_gains_and_loses_guids_only(sent, estate)
    a_terminal_is_told_nothing_to_do(run)
    a_browser_executes_nothing(run, tmp_path)


def it_was_worth_looking(run: dict[str, Any], sent: list[Sent]) -> None:
    """Hostile text reached findings and plans, and scripts and bodies were sent to machines that bear it."""
    told = "\n".join(texts_of(run))
    reached = [text for text in ALL if text in told]
    assert len(reached) > len(ALL) / 3
    assert len([one for one in sent if one.method == "PUT"]) > 20
    assert {"remediated"} <= {str(each["outcome"]) for each in run["outcomes"]}


def queries_are_ours_word_for_word(sent: list[Sent], estate: Fleet) -> None:
    """Each is a file of the package, but for lists of ids, which stand in it as JSON."""
    ours = {shape(file.read_text(encoding="utf-8")) for file in files("*.kql")}
    ids = ids_of(estate)
    asked = set(queries(sent))
    assert len(asked) > 10
    for query in asked:
        assert shape(query) in ours, query
        for listed in LIST.findall(query):
            values = json.loads(listed[1])
            assert {value for value in values if value not in ids and not GUID.fullmatch(value)} == set(), query


def scripts_are_ours_word_for_word(sent: list[Sent]) -> None:
    scripts = [text_at(command, "properties.source.script") for command in run_commands(sent)]
    assert len(scripts) > 10
    assert set(scripts) <= SCRIPTS


def parameters_are_literals(sent: list[Sent]) -> None:
    """Letters and digits: nothing that any shell would take for more."""
    values = [
        text_at(one, "value")
        for command in run_commands(sent)
        for one in list_at(command, "properties.parameters")
        if isinstance(one, dict)
    ]
    assert len(values) > 10
    assert [value for value in values if not PARAMETER.fullmatch(value)] == []


def filters_are_ours(sent: list[Sent]) -> None:
    filters = [value for one in sent for name, value in one.parameters if name == "$filter"]
    assert len(filters) > 10
    plain = {re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "T", GUID.sub("G", text)) for text in filters}
    assert {text for text in plain if not FILTERS.fullmatch(text)} == set()


def paths_are_encoded_and_lead_where_they_say(sent: list[Sent], estate: Fleet) -> None:
    """No segment climbs or hides a slash; the version is asked for once; what stands before our own words is an id."""
    ids = sorted(ids_of(estate), key=len, reverse=True)
    known = (*ids, "/providers/microsoft.resourcegraph", "/v1")
    names = {"api-version", "$expand", "$filter", "$skip", "$top"}
    for one in sent:
        for segment in one.path.split("/")[1:]:
            assert SEGMENT.fullmatch(segment), one
            decoded = unquote(segment)
            assert decoded not in {".", ".."}, one
            assert "/" not in decoded, one
        keys = [name for name, _ in one.parameters]
        assert set(keys) <= names, one
        assert len(keys) == len(set(keys)), one
        assert keys.count("api-version") == (not one.path.startswith("/v1/")), one
        path = unquote(one.path).lower()
        id_ = next((id_ for id_ in known if path == id_ or path.startswith(f"{id_}/")), "")
        rest = GUID.sub("guid", path.removeprefix(id_))
        assert id_ or rest == "/subscriptions", one
        assert OUR_WORDS.fullmatch(rest), one


def the_scope_query_gains_and_loses_guids_only(sent: list[Sent], estate: Fleet) -> None:
    """The one query that is edited and given back to Azure."""

    def bare(query: str) -> str:
        return re.sub(r'(?:, )?"(?:[0-9a-f-]{36})?"', "", query, flags=re.IGNORECASE)

    (before,) = [
        text_at(document, "properties.query") for document in estate.documents if at(document, "properties.query")
    ]
    edited = [
        text_at(one.body, "properties.query")
        for one in sent
        if one.method == "PUT" and at(one.body, "properties.query")
    ]
    assert edited
    assert {bare(query) for query in edited} == {bare(before)}


def a_terminal_is_told_nothing_to_do(run: dict[str, Any]) -> None:
    out = io.StringIO()
    console = Console(file=out, width=100, force_terminal=True, color_system=None, markup=False, highlight=False)
    write_run(Sheet(console), run_view(run))
    kinds = {unicodedata.category(character) for character in out.getvalue() if character != "\n"}
    assert not kinds & {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"}


def a_browser_executes_nothing(run: dict[str, Any], folder: Path) -> None:
    """Even without the policy that the page brings: it is made of the same elements as any other page."""
    ordinary = elements(page(a_run())) | elements(page(a_run(advice=[advice()])))
    for document in (run, a_run("".join(HTML), advice=[advice("".join(HTML))])):
        html, policies = POLICY.subn("", page(document))
        assert policies == 1
        dom = browsed(html, folder)
        assert "<title>Patchwright" in dom
        assert elements(dom) <= elements(page(run)) | ordinary
        assert not elements(dom) & {"script", "img", "svg", "iframe", "a", "base", "object", "form", "link"}
        assert dom.count("<meta") == 2


def test_a_browser_would_have_executed_it(tmp_path: Path) -> None:
    """The other way round: pasted into a page as it is, the same text does what the test above looks for."""
    dom = browsed(f"<!doctype html><title>Patchwright</title><p>{HTML[1]}</p>", tmp_path)

    assert "<title>EXECUTED" in dom


def test_a_run_is_asked_for_by_a_guid_or_not_at_all() -> None:
    """The one filter into which a name goes, and without quotes."""
    with answering(lambda _: Said(body={"value": []})) as azure:
        arm = Arm(Clients(azure.url, read_only=True))
        for text in (f"{GUID_ITSELF} or 1 eq 1", "' or 'a' eq 'a", "", *ALL):
            with pytest.raises(AzureUnavailable):
                targets_of(arm, ACCOUNT, text)
        assert azure.asked == []
        assert targets_of(arm, ACCOUNT, GUID_ITSELF) == frozenset()


def advice(text: str = "x") -> Document:
    return {"finding": KEY, "summary": text, "steps": [text]}


# What was sent, taken apart


def files(pattern: str) -> Iterator[Path]:
    for folder in ("adapters", "detectors", "guardrails"):
        yield from (ROOT / folder).rglob(pattern)


def shape(query: str) -> str:
    """A query without what its lists hold."""
    return LIST.sub(r"\1…\3", query).strip()


def queries(sent: list[Sent]) -> Iterator[str]:
    for one in sent:
        if one.path.endswith("/$batch"):
            for part in list_at(one.body, "requests"):
                yield text_at(part, "body.query") if isinstance(part, dict) else ""
        elif one.method == "POST" and "query" in one.body:
            yield text_at(one.body, "query")


def run_commands(sent: list[Sent]) -> list[Document]:
    return [one.body for one in sent if one.method == "PUT" and "/runcommands/" in one.path.lower()]


def ids_of(estate: Fleet) -> frozenset[str]:
    """Every id that the estate knows, also of what is deleted, in lower case."""
    found: set[str] = set()
    for document in estate.documents:
        found |= {text.lower() for text in texts_of(document) if text.startswith("/subscriptions/")}
    accounts = {estate.account.lower(), estate.workspace.lower()}
    return frozenset(found | accounts | {f"/subscriptions/{one}" for one in estate.subscriptions})
