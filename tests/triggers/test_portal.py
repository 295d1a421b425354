"""The portal in a real browser: read, answered, stopped and resumed with a mouse and a keyboard."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from model.documents import Document, text_at
from simulator.fleets import sample
from simulator.options import Options
from simulator.serve import Simulator, running
from tests.security.corpus import ALL, HTML, TERMINAL, hostile
from tests.support.chromium import NotSeen, Tab, chromium
from tests.triggers.app import STATE, SUBSCRIPTION, App, objects, outcomes, the_app, writes
from tests.triggers.test_people import TestTheKillSwitch as People
from tests.triggers.test_people import asked
from tools import package

KEY: Final = "c0ffee-canary-key=="
ELEMENTS: Final = re.compile(
    "a|article|body|br|button|dd|del|div|dl|dt|form|h[123]|head|header|html|input|ins|label|li|link|main|meta|noscript|ol|"
    "option|p|script|section|select|span|strong|style|table|tbody|td|th|thead|title|tr|ul"
)
"""What the page makes itself; nothing among it loads or runs anything."""


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with chromium(tmp_path_factory.mktemp("chromium")) as found:
        yield found


def opened(tab: Tab, app: App, behind: str = "") -> Tab:
    """The page, with everything in it that it asks for when it opens."""
    tab.open("about:blank")
    tab.requests.clear()
    tab.errors.clear()
    tab.open(f"{app.host.host.url}/api/portal{behind}")
    tab.wait("document.querySelector('#health strong')")
    return tab


class TestServed:
    def test_the_policy_lets_in_this_style_this_script_and_this_api_only(self, locked: App) -> None:
        answer = locked.get("/portal")

        policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["connect-src"] == "'self'"
        for directive, kind in (("style-src", "style"), ("script-src", "script")):
            (inline,) = re.findall(rf"<{kind}[^>]*>(.*?)</{kind}>", answer.text, re.DOTALL)
            digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
            assert policy[directive] == f"'sha256-{digest}'"
        assert not re.search(r"\b(?:src|srcset|action|on\w+|style)=|https?://", answer.text.split("<script")[0])

    def test_no_address_of_it_is_told_to_others_and_no_copy_kept(self, locked: App) -> None:
        headers = locked.get("/portal").headers

        assert headers["content-type"] == "text/html; charset=utf-8"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"

    def test_its_files_are_deployed(self) -> None:
        files = {f"triggers/portal/{name}" for name in ("page.html", "page.css", "page.js", "__init__.py")}

        assert files <= set(package.contents())


class TestTheKey:
    def test_it_goes_from_the_address_into_a_header_and_nowhere_else(self, tab: Tab, locked: App) -> None:
        opened(tab, locked, f"?code={KEY}")
        tab.wait("document.querySelector('#switch form')")

        assert tab.value("location.pathname + location.search") == "/api/portal"
        stored = "JSON.stringify([document.cookie, {...localStorage}, {...sessionStorage}, history.state])"
        assert tab.value(stored) == '["",{},{},null]'
        page, *calls = tab.requests
        assert KEY in str(page["url"])
        assert {str(call["url"]).split("?")[0].rpartition("/")[2] for call in calls} >= {"approvals", "runs", "pause"}
        for call in calls:
            assert text_at(call, "headers.x-functions-key") == KEY
            assert KEY not in str(call["url"])
            assert str(call["url"]).startswith(f"{locked.host.host.url}/api/")

    def test_where_it_is_wrong_the_page_says_how_to_open_it(self, tab: Tab, locked: App) -> None:
        """Azure Functions answers 401 without a body."""
        opened(tab, locked)
        tab.wait("document.querySelector('#switch form')")
        tab.value("void (window.fetch = async () => new Response(null, {status: 401}))")

        tab.click("#refresh")

        tab.wait("document.querySelector('#runs [role=alert]')?.innerText.startsWith('The function key is missing')")


class TestApprovals:
    def test_an_approval_is_given_by_a_click(self, tab: Tab, asking: App, azure: Simulator) -> None:
        """What is approved is the plan that was read: its fields before and after, impact, risk, undo and end."""
        approval = asked(asking)
        opened(tab, asking)
        tab.wait("document.querySelector('#approvals form')")
        for said in (
            text_at(approval, "targetName"),
            "additive",
            "registrationState NotRegistered → Registered",
            "None beyond that the provider shows",
            "cannot be undone",
            "Wed 11 Mar 06:00 UTC",
        ):
            assert said in tab.text

        tab.click("#approvals input")
        tab.type("agreed with the owners")
        tab.click("#approvals button[value=approve]")
        tab.wait("document.querySelector('#approvals [role=status]')")
        asking.finish()

        run = asking.run(text_at(approval, "run"))
        (said_to,) = objects(run, "approvals")
        assert (said_to["status"], said_to["reason"]) == ("approved", "agreed with the owners")
        assert outcomes(run) == {text_at(approval, "finding"): "remediated"}
        assert len(writes(azure)) == 1
        (sent,) = [call for call in tab.requests if call["method"] == "POST"]
        assert f'"plan":"{approval["planHash"]}"' in str(sent["postData"])

        tab.click("#approvals a[href^='#run=']")
        tab.wait("document.querySelector('#run').innerText.includes('remediated')")
        assert tab.errors == []

    def test_no_answer_goes_out_without_a_reason(self, tab: Tab, asking: App) -> None:
        approval = asked(asking)
        opened(tab, asking)

        tab.click("#approvals input")
        tab.type("   ")
        tab.click("#approvals button[value=reject]")

        tab.wait("document.querySelector('#approvals [role=alert]').innerText === 'Say why; it is recorded.'")
        assert objects(asking.get("/approvals").json, "approvals") == [approval]

    def test_an_answer_that_came_too_late_is_told(self, tab: Tab, asking: App) -> None:
        approval = asked(asking)
        opened(tab, asking)
        tab.click("#approvals input")
        tab.type("yes")
        asking.post(f"/approvals/{approval['id']}", {"decision": "reject", "reason": "no"})

        tab.press("Enter")

        tab.wait("document.querySelector('#approvals [role=alert]').innerText.includes('answered already: rejected')")
        asking.finish()


class TestTheKillSwitch:
    def test_it_is_pulled_and_what_was_queued_goes_on_by_a_click(self, tab: Tab, acting: App) -> None:
        People.pause_before_the_first_step(acting)
        run = acting.swept(dry_run=False, machines=[SUBSCRIPTION])
        opened(tab, acting)
        tab.wait("document.querySelector('#switch').innerText.includes('not begun, 1 step')")
        assert "Paused: the whole app" in tab.text

        tab.click("#switch input[type=checkbox]")
        tab.click("#switch input[name=reason]")
        tab.type("over")
        tab.press("Enter")
        tab.wait("document.querySelector('#switch select')")
        acting.finish()

        assert outcomes(acting.run(text_at(run, "id"))) == {text_at(objects(run, "findings")[0], "key"): "remediated"}

    def test_one_state_is_stopped(self, tab: Tab, acting: App) -> None:
        opened(tab, acting)
        tab.wait("document.querySelector('#switch select option + option')")
        tab.value(f"document.querySelector('#switch select').value = '{STATE}'")

        tab.click("#switch input[name=reason]")
        tab.type("an incident")
        tab.click("#switch button[value=pause]")

        tab.wait("document.querySelector('#switch .card')")
        (pause,) = objects(acting.get("/pause").json, "pauses")
        assert (pause["state"], pause["reason"]) == (STATE, "an incident")


class TestTextFromOutside:
    def test_it_is_text_and_nothing_else(self, tab: Tab, tmp_path: Path) -> None:
        """Names, tags and logs of a hostile estate, and reasons: none becomes an element, and none is invisible."""
        with (
            running(hostile(sample()), options=Options(retry_after=0)) as azure,
            the_app(azure, tmp_path / "ledger.sqlite") as app,
        ):
            run = app.swept()
            app.post("/pause", {"reason": "".join((*HTML, *TERMINAL))})
            opened(tab, app)
            tab.wait("document.querySelector('#switch .card') && document.querySelector('#runs tbody tr')")
            self.check(tab, HTML)
            assert r"\u{202e}" in tab.text
            assert "\u202e" not in tab.text

            tab.click(f"#runs a[href='#run={run['id']}']")
            tab.wait("document.querySelectorAll('#run article').length")
            assert tab.value("document.querySelectorAll('#run article').length") == len(objects(run, "findings"))
            self.check(tab, tuple(text for text in HTML if text in self.told(run)))

    def test_the_browser_itself_refuses_text_as_markup(self, tab: Tab, locked: App) -> None:
        opened(tab, locked)

        with pytest.raises(NotSeen, match="TrustedHTML"):
            tab.value("document.body.innerHTML = '<b>x</b>'")

    @staticmethod
    def told(run: Document) -> str:
        return "\n".join(str(finding["reason"]) + str(finding["targetName"]) for finding in objects(run, "findings"))

    @staticmethod
    def check(tab: Tab, there: tuple[str, ...]) -> None:
        assert there
        assert [text for text in there if text not in tab.text] == []
        assert str(tab.value("document.title")).startswith("Patchwright")
        names = tab.value("[...new Set([...document.querySelectorAll('*')].map((one) => one.localName))]")
        assert [name for name in names if not ELEMENTS.fullmatch(name)] == []
        assert tab.value("[...document.links].every((a) => a.getAttribute('href').startsWith('#'))")
        assert tab.errors == []
        assert len(ALL) > len(there)


def test_what_the_app_is_not_ready_for_is_told(tab: Tab, azure: Simulator, tmp_path: Path) -> None:
    with the_app(azure, tmp_path / "ledger.sqlite", {"PATCHWRIGHT_MODES": "nonsense"}) as app:
        opened(tab, app)

        tab.wait("document.querySelector('#approvals [role=alert]')")

        assert "Not ready" in tab.text
        assert "PATCHWRIGHT_MODES" in tab.value("document.querySelector('#health').innerText")


def test_every_field_has_a_label_and_every_button_a_name(tab: Tab, asking: App) -> None:
    asked(asking)
    opened(tab, asking)
    tab.wait("document.querySelector('#approvals form') && document.querySelector('#switch form')")

    assert tab.value("[...document.querySelectorAll('input, select')].filter((one) => !one.labels.length).length") == 0
    assert tab.value("[...document.querySelectorAll('button')].filter((one) => !one.innerText.trim()).length") == 0


def test_nothing_is_wider_than_a_phone(tab: Tab, asking: App) -> None:
    asked(asking)
    try:
        tab.send("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=1, mobile=True)
        opened(tab, asking)
        tab.wait("document.querySelector('#approvals form') && document.querySelector('#runs tbody tr')")

        assert tab.value("document.documentElement.scrollWidth") == 360
    finally:
        tab.send("Emulation.clearDeviceMetricsOverride")
