"""What the templates promise, read from the templates themselves."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.infra.bicep import (
    FILES,
    INFRA,
    ROOT,
    Declared,
    Resource,
    body_of,
    errors,
    literal,
    template,
    templates,
    text,
    walk,
)
from tests.support.parts import optional

MAIN = template(INFRA / "main.bicep")
APP = template(INFRA / "modules" / "function-app.bicep")

NEVER = re.compile(r"\b(utcNow|newGuid|deployment)\(")
"""What would make a second deployment differ from the first."""
CONSTRAINTS = {"minLength", "maxLength", "minValue", "maxValue", "allowed"}


def resources(kind: str) -> list[Resource]:
    return [one for template in templates() for one in template.resources if one.kind == kind and not one.existing]


def only(kind: str) -> Resource:
    (one,) = resources(kind)
    return one


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_template_is_bicep(path: Path) -> None:
    assert list(errors(template(path).root)) == []


def test_everything_that_is_asked_for_or_told_says_what_it_is() -> None:
    declared = [one for template in templates() for one in (*template.parameters, *template.outputs)]
    assert [one.where for one in declared if "description" not in one.decorators] == []


def is_constrained(one: Declared) -> bool:
    """A text or number by decorators, anything else by being of a type of its own, a bool, or a choice."""
    plain = one.type.removesuffix("?")
    return bool(one.decorators & CONSTRAINTS) or plain == "bool" or plain[:1].isupper() or plain[:1] == "'"


def test_a_value_that_does_not_fit_is_refused_by_the_parameter_that_it_is_for() -> None:
    """Azure's validation names the parameter; so each has to say what fits."""
    unbounded = [
        one.where
        for template in templates()
        for one in template.parameters
        # An id that another module has made needs no check of its own.
        if not is_constrained(one) and one.type != "string?"
    ]
    assert unbounded == []
    assert not is_constrained(next(one for one in APP.parameters if one.name == "subnetId"))


def test_what_has_to_be_given_has_no_default() -> None:
    """A deployment that forgets one stops and asks for it by name."""
    required = {one.name for one in MAIN.parameters if not any(child.type == "=" for child in one.node.children)}
    asked = {name for name in required if not next(p for p in MAIN.parameters if p.name == name).type.endswith("?")}
    assert asked == {"environmentName", "location", "automationAccountId", "workspaceId"}


def test_azd_hands_over_parameters_that_there_are() -> None:
    handed = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
    assert set(handed) - {one.name for one in MAIN.parameters} == set()
    assert {"environmentName", "location", "automationAccountId", "workspaceId"} <= set(handed)


def test_a_module_is_given_exactly_what_it_takes() -> None:
    for one in templates():
        for module in one.modules:
            path = literal(next(part for part in module.node.children if part.type == "string"))
            takes = template((one.path.parent / path).resolve()).parameters
            given = Resource(
                file=one.path,
                name=module.name,
                node=module.node,
                decorators=frozenset(),
                kind="",
                version="",
                existing=False,
                body=body_of(module.node),
            )
            names = {path[1] for path in given.properties() if path[0] == "params" and len(path) > 1}
            assert names <= {parameter.name for parameter in takes}, module.where
            optional = {p.name for p in takes if p.type.endswith("?") or any(c.type == "=" for c in p.node.children)}
            assert {p.name for p in takes} - optional <= names, module.where


def test_deploying_twice_changes_nothing() -> None:
    """Names are made from what stays the same; nothing depends on the time or on chance."""
    for one in templates():
        assert not NEVER.search(text(one.root)), one.path.name
    assignments = resources("Microsoft.Authorization/roleAssignments")
    assert len(assignments) >= 8
    assert {one.value("name")[:5] for one in assignments} == {"guid("}


def test_storage_opens_by_identity_only() -> None:
    account = only("Microsoft.Storage/storageAccounts")
    assert account.value("properties", "allowSharedKeyAccess") == "false"
    assert account.value("properties", "allowBlobPublicAccess") == "false"
    assert account.value("properties", "minimumTlsVersion") == "'TLS1_2'"
    assert account.value("properties", "supportsHttpsTrafficOnly") == "true"
    everything = "\n".join(text(one.root) for one in templates())
    assert "AccountKey" not in everything
    assert re.findall(r"listKeys\('([^']*)'", everything) == ["${app.id}/host/default"]


def test_the_app_scales_to_zero_and_has_a_limit() -> None:
    app, plan = only("Microsoft.Web/sites"), only("Microsoft.Web/serverfarms")
    scale = ("properties", "functionAppConfig", "scaleAndConcurrency")
    assert plan.value("sku", "name") == "'FC1'"
    assert app.value(*scale, "alwaysReady") == "[]"
    assert app.value(*scale, "maximumInstanceCount") == "scale.maximumInstanceCount"
    assert app.value("properties", "functionAppConfig", "runtime", "version") == "'3.13'"
    assert app.value("properties", "httpsOnly") == "true"


def test_the_app_has_a_task_hub_of_its_own() -> None:
    (values,) = [one for one in resources("Microsoft.Web/sites/config") if one.value("name") == "'appsettings'"]
    hub = re.search(r"AzureFunctionsJobHost__extensions__durableTask__hubName: '([^']*)'", text(values.node))
    assert hub is not None
    assert hub[1] == "Patchwright${uniqueString(name)}"
    # Azure's limits for the name of a hub: 3 to 45 letters and digits; uniqueString gives 13.
    assert 3 <= len("Patchwright") + 13 <= 45


def test_a_candidate_observes_and_is_left_alone() -> None:
    """The app that a version is tried with: locked, without the writer's role, called by no alert."""
    main = text(MAIN.root)
    assert "candidate ? union(settings, { DRY_RUN: 'true', PATCHWRIGHT_MODES: '' }) : settings" in main
    assert "var writes = allowWrites && !candidate" in main
    assert "probes: allowProbes && !candidate" in main
    assert main.count("if (alerts && !candidate)") == 2


def test_nobody_may_write_or_look_into_machines_until_it_is_said() -> None:
    for name in ("allowWrites", "allowProbes"):
        (allow,) = [one for one in MAIN.parameters if one.name == name]
        assert text(allow.node).endswith("= false")
    for one in resources("Microsoft.Authorization/roleAssignments"):
        if one.name.startswith(("writer", "prober")):
            assert any(part.type == "if_statement" for part in one.node.children), one.where


def test_every_resource_that_can_bear_tags_bears_them() -> None:
    without = {
        "Microsoft.Authorization/roleAssignments",
        "Microsoft.Authorization/roleDefinitions",
        "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
        "Microsoft.Storage/storageAccounts/blobServices",
        "Microsoft.Storage/storageAccounts/blobServices/containers",
        "Microsoft.Web/sites/basicPublishingCredentialsPolicies",
        "Microsoft.Web/sites/config",
    }
    untagged = [one.where for t in templates() for one in t.resources if not (one.existing or one.value("tags"))]
    kinds = {one.where: one.kind for t in templates() for one in t.resources}
    assert {kinds[where] for where in untagged} == without


def test_every_variable_and_parameter_is_used() -> None:
    """As Bicep's own linter would say, where there is no Bicep."""
    for one in templates():
        words = [text(node) for node in walk(one.root) if node.type in {"identifier", "property_identifier"}]
        for name in (*(p.name for p in one.parameters), *one.variables):
            assert words.count(name) > 1, f"{one.path.name}: {name}"


def test_bicep_itself_finds_nothing() -> None:
    bicep = optional("bicep")
    if bicep is None:
        pytest.skip("left out: there is no bicep on this machine")
    for path in (INFRA / "main.bicep", INFRA / "management-group.bicep"):
        done = subprocess.run([bicep, "build", "--stdout", str(path)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "Warning" not in done.stderr, done.stderr
    assert (ROOT / "azure.yaml").is_file()
