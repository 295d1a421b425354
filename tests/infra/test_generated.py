"""What `infra/` takes from the code is what the code says: the two roles, the settings, the alert rules."""

from __future__ import annotations

import json
import re
from dataclasses import fields

import pytest

from adapters.rights import READS, querying, tables_of
from detectors import DETECTORS
from detectors.alerting import ALERTABLE, DIMENSIONS
from detectors.protocol import kql
from engine.catalogue import Catalogue
from engine.preflight import NEEDS
from engine.settings import Settings
from model.facts import Reading
from tests.infra.bicep import INFRA, ROOT, template, text
from tools import infra, settings

GENERATED = INFRA / "generated"
ACTION = re.compile(r"Microsoft\.[A-Za-z]+(/[A-Za-z]+)*/(read|write|delete|action)")
ROLES = ("prober-role.json", "reader-role.json", "writer-role.json")


def actions(role: str) -> list[str]:
    listed: list[str] = json.loads((GENERATED / role).read_text(encoding="utf-8"))["actions"]
    return listed


def test_every_generated_file_is_current() -> None:
    stale = [path.name for path, made in infra.files().items() if path.read_text(encoding="utf-8") != made]
    assert stale == [], "run make docs"
    assert {path.name for path in GENERATED.iterdir()} == {path.name for path in infra.files()}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_names_each_action_and_no_wildcard(role: str) -> None:
    assert [action for action in actions(role) if not ACTION.fullmatch(action)] == []
    assert actions(role) == sorted(set(actions(role)))


def test_the_page_of_figures_counts_the_actions() -> None:
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    counted = dict(re.findall(r"^\| Patchwright (\w+)[^|]* \| (\d+)", page, re.MULTILINE))
    assert counted == {role.partition("-")[0].title(): str(len(actions(role))) for role in ROLES}


def test_the_reader_changes_nothing() -> None:
    assert [action for action in actions("reader-role.json") if not action.endswith("/read")] == []


def test_the_writer_may_do_what_the_repairs_declare_and_nothing_else() -> None:
    known = Catalogue.of(Settings(subscriptions=(), account="", workspace=""))
    declared = set().union(*(remediation.permissions for remediation in known.remediations))
    # And to ask what of it is granted, which is a read.
    assert set(actions("writer-role.json")) == declared | {NEEDS}
    assert not {action for action in declared if action.endswith("/read")}


def test_every_reading_says_what_it_needs() -> None:
    assert set(Reading) - READS.keys() == set(), "adapters/rights.py says what each reading needs"
    assert all(READS.values())


def test_the_reader_may_ask_the_tables_of_the_queries_and_no_other() -> None:
    """Table by table: a workspace often holds what is nobody's business here."""
    files = [*(ROOT / "detectors").glob("*.kql"), *ROOT.glob("*/*.log.kql"), *ROOT.glob("*/*/*.log.kql")]
    queries = [path.read_text("utf-8") for path in files if "tests" not in path.parts]
    granted = {action for action in actions("reader-role.json") if "/workspaces/query/" in action}
    assert granted == querying(queries)


def test_no_table_of_a_query_is_overlooked() -> None:
    """Every word of a query that Microsoft documents as a table is one that it reads."""
    documented = json.loads((ROOT / "tests" / "kql" / "tables.json").read_text(encoding="utf-8"))["logs"]["tables"]
    for path in (ROOT / "detectors").glob("*.kql"):
        query = path.read_text("utf-8")
        code = re.sub(r"//[^\n]*|\"[^\"\n]*\"", "", query)
        assert tables_of(query) == set(re.findall(r"\b[A-Z]\w*\b", code)) & set(documented), path.name


def test_both_places_that_make_roles_make_them_from_the_same_lists() -> None:
    for path in (INFRA / "modules" / "roles.bicep", INFRA / "management-group.bicep"):
        written = text(template(path).root)
        assert written.count("actions: reading.actions") == 1
        assert written.count("actions: writing.actions") == 1
        assert written.count("actions: probing.actions") == 1
        assert {name for name in ROLES if f"generated/{name}'" in written} == set(ROLES)


def test_every_setting_of_the_app_is_set_by_name() -> None:
    """Chosen, or known from what is deployed; and no name is set that the app would refuse."""
    app = text(template(INFRA / "modules" / "function-app.bicep").root)
    deployed = set(re.findall(r"^ +(PATCHWRIGHT_\w+): ", app, re.MULTILINE))
    chosen = json.loads((GENERATED / "settings.json").read_text(encoding="utf-8"))
    typed = set(re.findall(r"^  (\w+): ", (GENERATED / "settings.bicep").read_text(encoding="utf-8"), re.MULTILINE))
    known = {one.name for one in settings.described()}

    assert deployed == infra.DEPLOYED
    assert deployed | set(chosen) == known
    assert typed == set(chosen)
    assert len(known) == len(fields(Settings))
    assert "union(defaults, settings, {" in app


def test_the_defaults_that_are_deployed_are_the_app_s_own() -> None:
    """A deployment that sets nothing gets what an app without settings has: it only looks."""
    chosen = json.loads((GENERATED / "settings.json").read_text(encoding="utf-8"))
    needed = {
        "PATCHWRIGHT_SUBSCRIPTIONS": "d9f78f40-9ae0-5f2c-86db-354fa0ded010",
        "PATCHWRIGHT_AUTOMATION_ACCOUNTS": _id("Microsoft.Automation/automationAccounts/a"),
        "PATCHWRIGHT_WORKSPACES": _id("Microsoft.OperationalInsights/workspaces/w"),
    }
    assert Settings.from_env(needed | chosen) == Settings.from_env(needed)
    assert Settings.from_env(needed | chosen).dry_run


def _id(rest: str) -> str:
    return f"/subscriptions/d9f78f40-9ae0-5f2c-86db-354fa0ded010/resourceGroups/rg/providers/{rest}"


def test_the_table_of_settings_has_every_setting_once() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == [one.name for one in settings.described()]


def test_every_alertable_state_has_a_rule_with_its_detector_s_own_query() -> None:
    alerts = text(template(INFRA / "modules" / "alerts.bicep").root)
    loaded = dict(re.findall(r"'([\w-]+)': loadTextContent\('\.\./\.\./detectors/([\w-]+)\.kql'\)", alerts))
    rules = json.loads((GENERATED / "alert-rules.json").read_text(encoding="utf-8"))
    queries = {detector.finds: detector.queries for detector in DETECTORS}

    assert loaded == {alert.query: alert.query for alert in ALERTABLE.values()}
    assert {rule["state"]: rule["query"] for rule in rules} == {s.value: a.query for s, a in ALERTABLE.items()}
    for state, alert in ALERTABLE.items():
        assert alert.query in queries[state], state
        for column in DIMENSIONS:
            assert re.search(rf"\b{column}\b", kql(alert.query).rpartition("| project")[2]), (state, column)
