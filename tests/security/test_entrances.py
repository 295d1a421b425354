"""Who may come in, under which name, and that text in a request is text: in a header, a body, an address, a command."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest

import composition
from devhost.host import settings_of
from devhost.worker import Function
from engine.settings import PREFIX, InvalidSettings, Settings
from model.documents import Document, Json, text_at
from simulator.fleets import sample
from simulator.options import Options
from simulator.serve import Simulator, running
from tests.infra.bicep import INFRA, template
from tests.infra.test_templates import only, resources
from tests.security.corpus import ALL, HTML, SHELL, TERMINAL
from tests.security.test_injection import shape
from tests.triggers.app import JSON, App, objects, the_app, writes
from tests.triggers.payloads import an_alert
from tests.triggers.test_indexing import indexed, of

ROOT: Final = Path(__file__).parents[2]
HEADERS: Final = tuple(text for text in ALL if text.isascii() and text.isprintable() and text.strip())
"""What HTTP lets a header hold."""
STRICT: Final = (
    "CLOUD",
    "SUBSCRIPTIONS",
    "WSUS_SERVER",
    "READER_CLIENT_ID",
    "WRITER_CLIENT_ID",
    "PROBER_CLIENT_ID",
    "MODES",
)
"""Settings that go into hosts, tokens or scripts; ids of resources are encoded, tags and owners only compared."""


@pytest.fixture(scope="module")
def functions() -> dict[str, Function]:
    with settings_of({}):
        return indexed()


@pytest.fixture(scope="module")
def azure() -> Iterator[Simulator]:
    with running(sample(), options=Options(retry_after=0)) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def app(azure: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with the_app(azure, tmp_path_factory.mktemp("entrances") / "ledger.sqlite") as app:
        yield app


# Who may come in. `tests/triggers/test_indexing.py` holds that every route but health needs a function key.


def test_there_is_no_way_in_but_http_and_the_clock(functions: dict[str, Function]) -> None:
    """What the Durable engine starts, only these can have asked for; all HTTP needs a key but a look at the health."""
    kinds = {function.kind for function in functions.values()}
    assert kinds == {"httptrigger", "timertrigger", "orchestrationtrigger", "activitytrigger"}
    opened = [
        name for name, one in of(functions, "httptrigger").items() if text_at(one.trigger, "authLevel") == "ANONYMOUS"
    ]
    assert opened == ["get_health"]


def test_an_alert_brings_the_key_over_https_and_a_token_where_one_is_wanted() -> None:
    """The action group's receiver: the host's key in its address, Entra's token beside it, each from Azure itself."""
    group = only("Microsoft.Insights/actionGroups")
    receiver = group.value("properties", "webhookReceivers")
    (address,) = re.findall(r"serviceUri: '([^\n]*)'\n", receiver)
    assert address.startswith("https://${app.properties.defaultHostName}/api/alerts?code=${listKeys(")
    assert "useAadAuth: secureWebhook != null" in receiver
    assert "useCommonAlertSchema: true" in receiver


def test_where_a_token_is_wanted_nobody_comes_in_without_one() -> None:
    """App Service's authentication: of this tenant, for this application, and only health is left out."""
    (authentication,) = [
        one for one in resources("Microsoft.Web/sites/config") if one.value("name") == "'authsettingsV2'"
    ]
    validation = authentication.value("properties", "globalValidation")
    assert "requireAuthentication: true" in validation
    assert "unauthenticatedClientAction: 'Return401'" in validation
    assert re.findall(r"excludedPaths: \[([^\]]*)\]", validation) == ["'/api/health'"]
    issuer = authentication.value("properties", "identityProviders")
    assert "${tenant().tenantId}/v2.0" in issuer
    assert "allowedAudiences: [secureWebhook.?identifierUri" in issuer


def test_keys_are_put_out_by_no_template() -> None:
    for file in (INFRA / "main.bicep", *(INFRA / "modules").glob("*.bicep")):
        for output in template(file).outputs:
            assert "listKeys" not in output.node.text.decode() if output.node.text else True


# Under which name


def test_a_name_is_believed_only_where_app_service_vouches_for_it(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else whoever has a key could sign as anybody."""
    forged = {"x-ms-client-principal-name": "director@contoso.com", **JSON}
    app.send("POST", "/pause", b'{"reason": "forged"}', forged)
    assert "director" not in app.get("/audit").text
    app.post("/resume")

    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", "True")
    paused = app.send("POST", "/pause", b'{"reason": "vouched for"}', forged)
    assert "director@contoso.com" in paused.text
    app.post("/resume")


# That text is text


def test_what_people_say_is_kept_to_the_letter_and_sent_nowhere(
    app: App, azure: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reasons and names of people: whatever they hold, they come back as JSON that no browser takes for a page."""
    monkeypatch.setenv("WEBSITE_AUTH_ENABLED", "True")
    asked = len(azure.requests())
    for number, text in enumerate(ALL):
        name = HEADERS[number % len(HEADERS)]
        headers = {"x-ms-client-principal-name": name, **JSON}
        said = app.send("POST", "/pause", json.dumps({"reason": text}).encode(), headers)
        app.post("/resume")
        (pause,) = objects(said.json, "pauses")
        assert (pause["reason"], pause["by"]) == (text.strip(), name.strip())
        assert said.headers["content-type"] == "application/json"
        assert said.headers["x-content-type-options"] == "nosniff"
    assert len(azure.requests()) == asked


def test_an_address_of_any_text_leads_nowhere_else(app: App, azure: Simulator) -> None:
    """A run's or an approval's id is looked up as it is."""
    for text in ALL:
        id_ = quote(text, safe="")
        if text in {".", ".."} or "/" in text:
            continue
        for method, path in (("GET", f"/runs/{id_}"), ("POST", f"/runs/{id_}/apply"), ("POST", f"/runs/{id_}/undo")):
            answer = app.send(method, path, None, JSON)
            assert answer.status == 404, f"{method} {path}: {answer.text}"
    assert writes(azure) == []


def test_an_alert_of_any_text_asks_azure_nothing_new(app: App, azure: Simulator) -> None:
    """Rows, dimensions, properties, targets and names of the rule: they select, or do not; no query holds them."""
    known = {shape(query) for query in _queries(azure)} | _ours()
    rows: list[Document] = [{"Computer": text, "_ResourceId": f"/subscriptions/{text}"} for text in ALL]
    dimensions = {f"{number}{text}": text for number, text in enumerate(ALL)}
    essentials: dict[str, Json] = {"alertRule": "".join(HTML), "description": "".join(TERMINAL)}
    alert = an_alert("".join(SHELL), *ALL, rows=rows, dimensions=dimensions, items=[*ALL], essentials=essentials)

    answer = app.post("/alerts", alert)
    app.finish()

    assert answer.status in {200, 202, 400}, answer.text
    assert {shape(query) for query in _queries(azure)} <= known
    assert writes(azure) == []


def test_a_command_of_any_text_says_what_it_does_not_know_and_nothing_to_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, azure: Simulator
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in azure.settings.items():
        monkeypatch.setenv(name, value)
    for text in ALL:
        for command in (
            ["show", text],
            ["apply", text, "--finding", text],
            ["undo", text],
            ["sweep", "--state", text],
            ["approve", text, "--reason", text],
            [text],
        ):
            try:
                status: object = composition.main(command)
            except SystemExit as end:
                status = end.code
            said = "".join(capsys.readouterr())
            assert status in {1, 2}, command
            assert not {unicodedata.category(character) for character in said if character != "\n"} & {"Cc", "Cf"}


def test_no_setting_takes_a_text_that_would_be_more_than_text(azure: Simulator) -> None:
    for name in STRICT:
        valid = azure.settings.get(f"{PREFIX}{name}", "")
        for text in filter(str.strip, ALL):
            with pytest.raises(InvalidSettings, match=f"{PREFIX}{name}"):
                Settings.from_env({**azure.settings, f"{PREFIX}{name}": valid + text})


def _queries(azure: Simulator) -> Iterator[str]:
    for request in azure.requests():
        body = json.loads(str(request["body"] or "{}"))
        yield from (part["body"]["query"] for part in body.get("requests", ()))
        if isinstance(body.get("query"), str):
            yield body["query"]


def _ours() -> set[str]:
    folders = ("adapters", "detectors", "guardrails")
    return {shape(file.read_text(encoding="utf-8")) for folder in folders for file in (ROOT / folder).rglob("*.kql")}
