"""What is undone equals the original: at the simulated Azure, through the real clients, with all that nobody knows."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from composition import build
from engine.engine import Engine
from engine.inline import drive
from engine.journal import Line
from engine.process import undo
from engine.requests import new_run_id
from engine.settings import Settings
from engine.undo_plans import is_as_it_was
from engine.undoing import UndoRequest
from engine.wire import to_json
from model.deployments import body_to_put, with_start
from model.documents import Document, text_at
from model.findings import Finding
from model.plans import Plan, PutDeployment, PutSavedSearch, SetDailyQuota, Settle, Step, Treatment
from model.states import FailureState, Impact
from simulator.fleets import sample
from simulator.serve import Simulator, running
from tests.builders import MINUTE
from tests.triggers.app import UNLOCKED, objects

DEPLOYMENT = "Microsoft.Automation/automationAccounts/softwareUpdateConfigurations"
SEARCH = "Microsoft.OperationalInsights/workspaces/savedSearches"

unknown = st.dictionaries(
    st.from_regex(r"x[A-Z][a-z]{2,6}", fullmatch=True),
    st.recursive(
        st.one_of(st.booleans(), st.integers(-9, 9), st.text("aü\"'$", min_size=1, max_size=4)),
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=2), st.dictionaries(st.text("ab", min_size=1), inner, min_size=1)
        ),
        max_leaves=3,
    ),
    max_size=3,
)
"""Properties of a version of Azure that is not out yet."""


@pytest.fixture(scope="module")
def azure() -> Iterator[Simulator]:
    with running(sample()) as simulator:
        simulator.server.estate.resources.put(
            {
                "id": f"{simulator.settings['PATCHWRIGHT_WORKSPACES']}/savedSearches/mine",
                "type": SEARCH,
                "etag": 'W/"1"',
                "properties": {"category": "Updates", "displayName": "Mine", "query": "Heartbeat", "version": 2},
            }
        )
        yield simulator


@pytest.fixture(scope="module")
def engine(azure: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    ledger = f"sqlite:{tmp_path_factory.mktemp('undo') / 'ledger.sqlite'}"
    built = build(Settings.from_env({**azure.settings, **UNLOCKED, "PATCHWRIGHT_LEDGER": ledger}))
    yield built
    built.ledger.close()


def deployment(azure: Simulator) -> Document:
    """A deployment as the simulated Azure keeps it: what is changed in it is changed there."""
    return min(azure.server.estate.resources.of_type(DEPLOYMENT), key=lambda document: str(document["id"]))


def search(azure: Simulator) -> Document:
    """The saved search as the simulated Azure keeps it."""
    found = azure.server.estate.resources.get(f"{azure.settings['PATCHWRIGHT_WORKSPACES']}/savedSearches/mine")
    assert found is not None
    return found


def properties(document: Document) -> Document:
    found = document["properties"]
    assert isinstance(found, dict)
    return found


def done_and_undone(engine: Engine, step: Step) -> Document:
    """Take a step as a run's treatment would, then undo that run; answers the run that has undone it."""
    run = new_run_id(engine.clock.now())
    finding = Finding(state=FailureState.SCOPE_EXCLUDED, target=engine.settings.workspace.lower(), name="it", reason="")
    plan = Plan(
        finding=finding, remediation="add-to-scope", impact=Impact.REVERSIBLE, reason="", steps=(step,),
        settle=Settle(after=MINUTE, why=""),
    )  # fmt: skip
    engine.journal.record(
        run,
        Line("run", "run", {"trigger": "cli", "dryRun": False}),
        Line(f"plan:{finding.key}", "plan", to_json(Treatment(id="1", plan=plan)), finding.key),
    )
    common: Document = {"run": run, "attempt": run, "finding": finding.key, "index": 0}
    answer = engine.activities["step"](common)
    while answer.get("wait") is not None:
        engine.clock.sleep_until(engine.clock.now() + MINUTE)
        answer = engine.activities["step"]({**common, "token": answer["token"]})
    assert answer == {}
    engine.activities["settle"](common)
    engine.activities["close"]({"run": run})
    request = UndoRequest(run=f"{run}-undo", undoes=run, trigger="cli", dry_run=False)
    assert engine.undoing.accept(request) == request.run
    drive(undo(request.document), engine.activities, engine.clock)
    document = engine.document(request.run)
    assert document is not None
    return document


def ended(document: Document) -> list[tuple[str, str]]:
    return [(text_at(one, "outcome"), text_at(one, "reason")) for one in objects(document, "outcomes")]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(news=unknown, duration=st.sampled_from(["PT3H", "PT4H30M"]))
def test_a_deployment(azure: Simulator, engine: Engine, news: Document, duration: str) -> None:
    there = deployment(azure)
    configuration = properties(there)["updateConfiguration"]
    assert isinstance(configuration, dict)
    for name in [name for name in configuration if name.startswith("x")]:
        del configuration[name]
    configuration.update(copy.deepcopy(news))
    before = copy.deepcopy(there)
    after = with_start(body_to_put(before), text_at(before, "properties.scheduleInfo.nextRun"))
    changed = properties(after)["updateConfiguration"]
    assert isinstance(changed, dict)
    changed["duration"] = duration
    step = PutDeployment(deployment=str(before["id"]), before=before, after=after)

    told = done_and_undone(engine, step)

    now = deployment(azure)
    assert ended(told) == [("undone", f"it is as it was before run {told['undoes']}")]
    assert is_as_it_was(step, before, now)
    assert properties(now)["updateConfiguration"] == properties(before)["updateConfiguration"]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(news=unknown, query=st.text("aü|\"'\n ", min_size=1, max_size=20).filter(str.strip))
def test_a_saved_search(azure: Simulator, engine: Engine, news: Document, query: str) -> None:
    there = search(azure)
    for name in [name for name in properties(there) if name.startswith("x")]:
        del properties(there)[name]
    properties(there).update(copy.deepcopy(news))
    before = copy.deepcopy(there)
    after = copy.deepcopy(before)
    properties(after)["query"] = f"Heartbeat | where Computer == {query!r}"
    step = PutSavedSearch(saved_search=str(before["id"]), before=before, after=after)

    told = done_and_undone(engine, step)

    assert ended(told) == [("undone", f"it is as it was before run {told['undoes']}")]
    assert properties(search(azure)) == properties(before)


def test_a_daily_cap(azure: Simulator, engine: Engine) -> None:
    workspace = azure.server.estate.resources.get(engine.settings.workspace)
    assert workspace is not None
    properties(workspace)["workspaceCapping"] = {"dailyQuotaGb": 2.0}
    step = SetDailyQuota(workspace=engine.settings.workspace, gb_before=2.0, gb_after=3.0)

    told = done_and_undone(engine, step)

    assert ended(told) == [("undone", f"it is as it was before run {told['undoes']}")]
    capping = properties(workspace)["workspaceCapping"]
    assert isinstance(capping, dict)
    assert capping["dailyQuotaGb"] == 2.0
