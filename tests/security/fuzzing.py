"""The running app, asked what its description allows and what not: a little in a test, for long in `make fuzz`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case as AnyCase
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from simulator.fleets import sample
from simulator.options import Options
from simulator.serve import running
from tests.triggers.app import UNLOCKED, App, the_app
from triggers.openapi import document

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


type Operation = APIOperation[Any, Any, Any, Any]
type Case = AnyCase[Any]


def operations() -> dict[str, Operation]:
    """Everything that the API has, by operation id."""
    described: BaseSchema = schemathesis.openapi.from_dict(document())
    found = [result.ok() for result in described.get_all_operations() if isinstance(result, Ok)]
    return {str(one.definition.raw["operationId"]): one for one in found}


def asked(operation: Operation, ids: Sequence[str]) -> st.SearchStrategy[Case]:
    """Requests that the description allows and others, to ids that exist and others."""
    cases = st.one_of(operation.as_strategy(GenerationMode.POSITIVE), operation.as_strategy(GenerationMode.NEGATIVE))
    if "{id}" not in operation.path:
        return cases

    def about(case: Case, id_: str | None) -> Case:
        if id_ is not None:
            case.path_parameters = {"id": id_}
        return case

    return st.builds(about, cases, st.none() | st.sampled_from([*ids]))


def fuzz(app: App, operation: Operation, ids: Sequence[str], *, examples: int, number: int = 0) -> None:
    """Raises with a call to repeat where an answer is a 5xx, or none that the description knows."""

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=asked(operation, ids))
    def ask(case: Case) -> None:
        case.call_and_validate(base_url=f"{app.host.host.url}/api", checks=CHECKS, timeout=60)

    ask()


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.security.fuzzing", description=__doc__)
    parser.add_argument("--examples", type=int, default=300, help="requests to each operation")
    parser.add_argument("--seed", type=int, default=0, help="another number, other requests")
    options = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory() as folder,
        running(sample(), options=Options(retry_after=0)) as azure,
        the_app(azure, Path(folder) / "ledger.sqlite", UNLOCKED) as app,
    ):
        run = str(app.swept(states=["maintenance-window-exceeded"])["id"])
        for operation in operations().values():
            sys.stdout.write(f"{operation.method.upper():5}{operation.path}\n")
            sys.stdout.flush()
            fuzz(app, operation, [run], examples=options.examples, number=options.seed)
            app.finish()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
