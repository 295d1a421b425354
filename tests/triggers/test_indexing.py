"""The app as Microsoft's worker library sees it, and the API's description beside it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import jsonschema
import pytest

from devhost.host import PROJECT, settings_of
from devhost.worker import Function, Worker, methods_of
from engine.process import ACTIVITIES, PROCESSES
from model.documents import text_at
from triggers.openapi import document

HEAVY: Final = (
    "adapters",
    "composition",
    "engine.engine",
    "cattrs",
    "azure.core",
    "azure.identity",
    "duckdb",
    "simulator",
)


@pytest.fixture
def functions() -> dict[str, Function]:
    """What the worker finds in an environment that sets nothing."""
    with settings_of({}):
        return indexed()


def indexed() -> dict[str, Function]:
    worker = Worker(PROJECT)

    async def look() -> None:
        await worker.start()
        await worker.stop()

    asyncio.run(look())
    return dict(worker.functions)


def of(functions: dict[str, Function], kind: str) -> dict[str, Function]:
    return {name: function for name, function in functions.items() if function.kind == kind}


def test_every_process_is_an_orchestrator_and_every_activity_a_function(functions: dict[str, Function]) -> None:
    assert set(of(functions, "orchestrationtrigger")) == set(PROCESSES)
    assert set(of(functions, "activitytrigger")) == {*ACTIVITIES, "fail"}


def test_every_route_is_described_and_every_description_has_its_route(functions: dict[str, Function]) -> None:
    """Path, method and the function's name as the operation's id."""
    served = {
        (f"/{function.trigger['route']}", method.lower(), name)
        for name, function in of(functions, "httptrigger").items()
        for method in methods_of(function)
    }
    paths = document()["paths"]
    assert isinstance(paths, dict)
    described = {
        (path, method, text_at(operation, "operationId"))
        for path, methods in paths.items()
        if isinstance(methods, dict)
        for method, operation in methods.items()
        if isinstance(operation, dict)
    }
    assert served == described


def test_everything_but_health_needs_a_key(functions: dict[str, Function]) -> None:
    levels = {name: text_at(f.trigger, "authLevel") for name, f in of(functions, "httptrigger").items()}

    assert levels.pop("get_health") == "ANONYMOUS"
    assert set(levels.values()) == {"FUNCTION"}


def test_the_sweep_is_nightly_where_no_schedule_is_set(functions: dict[str, Function]) -> None:
    """The host refuses a `%NAME%` that no setting has, so the default stands in its place."""
    assert functions["nightly_sweep"].trigger["schedule"] == "0 0 2 * * *"


def test_a_schedule_that_is_set_is_left_to_the_host() -> None:
    with settings_of({"SWEEP_SCHEDULE": "0 30 3 * * 6"}):
        assert indexed()["nightly_sweep"].trigger["schedule"] == "%SWEEP_SCHEDULE%"


def test_wrong_settings_do_not_keep_the_functions_from_being_found() -> None:
    """Or nobody could be told what is wrong with them."""
    with settings_of({"DRY_RUN": "perhaps", "PATCHWRIGHT_CLOUD": "mars", "SWEEP_SCHEDULE": "at night"}):
        assert "get_health" in indexed()


def test_importing_the_app_imports_nothing_heavy() -> None:
    """A cold start pays for the two Functions packages and for nothing else: no engine, no adapter, no Azure SDK."""
    program = f"import json, sys, function_app; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"

    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)

    assert json.loads(done.stdout) == []


def test_the_description_in_docs_is_current() -> None:
    """`make docs` renews it."""
    written = (Path(PROJECT) / "docs" / "openapi.json").read_text(encoding="utf-8")

    assert json.loads(written) == document()


def test_every_schema_of_the_description_is_a_json_schema() -> None:
    components = document()["components"]
    assert isinstance(components, dict)
    schemas = components["schemas"]
    assert isinstance(schemas, dict)
    for schema in schemas.values():
        assert isinstance(schema, dict)
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_reference_of_the_description_leads_somewhere() -> None:
    whole = document()

    def references(value: object) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if "$ref" in value else []
            return own + [found for inner in value.values() for found in references(inner)]
        if isinstance(value, list):
            return [found for inner in value for found in references(inner)]
        return []

    found = references(whole)
    assert found
    for reference in found:
        here: object = whole
        for part in reference.removeprefix("#/").split("/"):
            assert isinstance(here, dict)
            assert part in here, reference
            here = here[part]
