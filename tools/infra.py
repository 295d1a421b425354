"""What `infra/` takes from the code: the two roles, the settings as a type and with their defaults, the alert rules.

`make docs` writes them to `infra/generated/`, `make check` compares.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from adapters.rights import LOOKS_CLOSER, PROBES, READS, RUN_COMMANDS, querying
from detectors import DETECTORS
from detectors.alerting import ALERTABLE, DIMENSIONS
from engine.catalogue import Catalogue
from engine.preflight import NEEDS
from engine.settings import Settings
from model.documents import Document
from tools.settings import ROOT, Setting, described

GENERATED: Final = ROOT / "infra" / "generated"
DEPLOYED: Final = frozenset(
    {
        "PATCHWRIGHT_AUTOMATION_ACCOUNTS",
        "PATCHWRIGHT_CLOUD",
        "PATCHWRIGHT_LEDGER",
        "PATCHWRIGHT_PROBER_CLIENT_ID",
        "PATCHWRIGHT_READER_CLIENT_ID",
        "PATCHWRIGHT_SUBSCRIPTIONS",
        "PATCHWRIGHT_WORKSPACES",
        "PATCHWRIGHT_WRITER_CLIENT_ID",
    }
)
"""Settings that `function-app.bicep` knows from what it deploys; nobody sets them beside."""
_TYPE: Final = """\
// Made from engine/settings.py by `make docs`.
metadata description = 'Every setting that can be chosen: a name that does not exist is refused before a deployment.'

@export()
@description('Settings that differ from their defaults.')
@sealed()
type Settings = {{
{members}
}}
"""


def files() -> Mapping[Path, str]:
    """Every generated file of `infra/` with the text that it should have."""
    return {
        GENERATED / "reader-role.json": _json(reader_role()),
        GENERATED / "writer-role.json": _json(writer_role()),
        GENERATED / "prober-role.json": _json(prober_role()),
        GENERATED / "settings.json": _json({one.name: one.default for one in chosen()}),
        GENERATED / "settings.bicep": _TYPE.format(members="\n\n".join(map(_member, chosen()))),
        GENERATED / "alert-rules.json": _json([*alert_rules()]),
    }


def reader_role() -> Document:
    """Everything that any sweep may have to read, whichever states are on."""
    # Adapters and guardrails ask the logs, too; the other queries of the adapters go to Resource Graph.
    files = [*(ROOT / "detectors").glob("*.kql")]
    files += [path for folder in ("adapters", "guardrails") for path in (ROOT / folder).rglob("*.log.kql")]
    queries = [path.read_text("utf-8") for path in sorted(files)]
    actions = frozenset[str]().union(*READS.values()) | LOOKS_CLOSER | RUN_COMMANDS | querying(queries)
    return {
        "name": "Patchwright Reader",
        "description": "Reads what Update Management knows and what it depends on. Changes nothing.",
        "actions": [*sorted(actions)],
    }


def writer_role() -> Document:
    """What the repairs need beyond reading, and the question what of it is granted."""
    known = Catalogue.of(Settings(subscriptions=(), account="", workspace=""))
    actions = frozenset({NEEDS}).union(*(remediation.permissions for remediation in known.remediations))
    return {
        "name": "Patchwright Writer",
        "description": "Makes the repairs of Patchwright, beside what Patchwright Reader allows.",
        "actions": [*sorted(actions)],
    }


def prober_role() -> Document:
    """What looking into machines needs beyond reading."""
    return {
        "name": "Patchwright Prober",
        "description": "Sends the diagnosis of Patchwright into machines, beside what Patchwright Reader allows.",
        "actions": [*sorted(PROBES)],
    }


def chosen() -> tuple[Setting, ...]:
    """The settings that people choose."""
    return tuple(one for one in described() if one.name not in DEPLOYED)


def alert_rules() -> Iterator[Document]:
    """One rule for each alertable state, in the order of the states' names."""
    manuals = {detector.finds: inspect.getdoc(detector) or "" for detector in DETECTORS}
    for state, alert in sorted(ALERTABLE.items()):
        first, _, _ = manuals[state].partition("\n\n")
        yield {
            "state": state.value,
            "query": alert.query,
            "description": " ".join(first.split()),
            "severity": alert.severity,
            "every": alert.every,
            "dimensions": [{"name": name, "operator": "Include", "values": ["*"]} for name in DIMENSIONS],
        }


def _member(setting: Setting) -> str:
    meaning = setting.meaning.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${")
    type_ = " | ".join(f"'{choice}'" for choice in setting.choices)
    return f"  @description('{meaning}')\n  {setting.name}: {f'({type_})?' if type_ else 'string?'}"


def _json(value: Document | list[Document]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
