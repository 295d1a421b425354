"""`make docs`: the pages that are made from the code, so that they say what it does.

`docs/catalogue.md` comes from the docstrings of detectors and remediations; `docs/openapi.json` from
`triggers/openapi.py`; `docs/settings.md` from `engine/settings.py`; `infra/generated/` from the permissions, the
settings and the alertable states that the code declares; the plan and the story in README.md from a run on the sample
estate, with its random ids and its time taken made the same each time. `--check` changes nothing and fails where a page
is not current.
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from detectors.protocol import Detector, kql
from engine.catalogue import Catalogue
from engine.settings import Settings
from model.states import ActionClass
from remediations.protocol import Remediation
from simulator.fleets import sample
from simulator.serve import running
from tools import infra
from tools.demo import COMMAND, settings
from tools.settings import ROOT, described
from triggers import openapi

SHOWN_STATES: Final = ("source-id-changed", "maintenance-window-exceeded")
"""Enough for a reader to see what a plan looks like."""
_CATALOGUE: Final = """\
# The catalogue

Every failure state that Patchwright finds, in the order in which they are looked for, with its repairs. Made from the
code by `make docs`; `patchwright states` lists the same with the modes that are set.
"""
_SETTINGS: Final = """\
# Settings

Environment variables on the command line, app settings in Azure (`infra/main.parameters.json` under `settings`). All
problems with them are reported at once, at start, by name: by `GET /api/health` and by every command. Made from the
code by `make docs`.
"""
_QUERY: Final = """\
<details><summary><code>{name}.kql</code></summary>

```kusto
{text}
```

</details>
"""
_CLASSES: Final = {
    ActionClass.AUTO: "auto: the mode of the state decides alone",
    ActionClass.OPT: "opt: sweeps apply it only where `PATCHWRIGHT_OPT_IN` names it; a person may apply its plan",
    ActionClass.ADVISE: "advise: nothing is changed",
}
_SECTION: Final = re.compile(r"(?P<name>[A-Z][a-z]+(?: [a-z]+)?): ")


def main() -> int:
    parser = argparse.ArgumentParser(prog="docs", description="Renew the generated pages.")
    parser.add_argument("--check", action="store_true", help="change nothing; 1 where a page is not current")
    check = parser.parse_args().check
    stale = []
    for file, text in pages().items():
        if not file.exists() or file.read_text("utf-8") != text:
            stale.append(str(file.relative_to(ROOT)))
            if not check:
                file.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"{name}: {'is not current; run make docs' if check else 'renewed'}")
    return 1 if check and stale else 0


def pages() -> Mapping[Path, str]:
    """Every generated page with the text that it should have."""
    readme = (ROOT / "README.md").read_text("utf-8")
    for name, text in run_sections().items():
        readme = replaced(readme, name, text)
    return {
        **infra.files(),
        ROOT / "docs" / "catalogue.md": catalogue(),
        ROOT / "docs" / "settings.md": settings_page(),
        ROOT / "docs" / "openapi.json": json.dumps(openapi.document(), indent=2) + "\n",
        ROOT / "README.md": readme,
    }


def replaced(page: str, name: str, text: str) -> str:
    """The page with `text` between the comments `<!-- name -->` and `<!-- /name -->`."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, found, rest = page.partition(begin)
    old, closed, after = rest.partition(end)
    if not found or not closed or begin in old:
        raise SystemExit(f"README.md: needs {begin} and {end}, once each")
    return f"{before}{begin}\n{text}\n{end}{after}"


# The catalogue


def catalogue() -> str:
    """Every failure state: how it is told, how it is repaired, what that needs."""
    known = Catalogue.of(_anywhere())
    return "\n".join([_CATALOGUE, *(_state(detector, known) for detector in known.detectors)])


def _state(detector: Detector, known: Catalogue) -> str:
    lines = [f"## `{detector.finds.value}`\n", manual(detector)]
    lines.append("- **Reads:** " + ", ".join(sorted(f"`{reading.value}`" for reading in detector.reads)) + "\n")
    lines += [_QUERY.format(name=name, text=kql(name).strip()) for name in sorted(detector.queries)]
    lines += [_repair(remediation) for remediation in known.fixing(detector.finds)]
    return "\n".join(lines)


def _repair(remediation: Remediation) -> str:
    rights = "\n".join(f"  - `{action}`" for action in sorted(remediation.permissions))
    return (
        f"### Repair: `{remediation.id}`\n\n{manual(remediation)}"
        f"- **Class:** {_CLASSES[remediation.action_class]}\n"
        f"- **Impact:** {remediation.impact.value}\n- **Rights of the writer:**\n{rights}\n"
    )


def manual(entry: object) -> str:
    """A docstring as a page: its first paragraph, then its sections as a list."""
    first, _, rest = (inspect.getdoc(entry) or "").partition("\n\n")
    sections: list[str] = []
    for line in rest.splitlines():
        if found := _SECTION.match(line):
            sections.append(f"- **{found['name']}:** {line[found.end() :]}")
        elif sections and line.strip():
            sections[-1] += f" {line.strip()}"
    return " ".join(first.split()) + "\n\n" + "".join(f"{section}\n" for section in sections)


def _anywhere() -> Settings:
    return Settings(subscriptions=(), account="", workspace="")


# The settings


def settings_page() -> str:
    """Name, default and meaning of every setting, from the docstrings beside the fields."""
    rows = ["| Setting | Default | Meaning |", "|---|---|---|"]
    for one in described():
        default = "has to be set" if one.default is None else f"`{one.default}`" if one.default else ""
        rows.append(f"| `{one.name}` | {default} | {one.meaning.replace('|', chr(92) + '|')} |")
    return "\n".join([_SETTINGS, *rows]) + "\n"


# A real run


def run_sections() -> Mapping[str, str]:
    """The plan of a dry run on the sample estate, and the story of its application, as they are printed."""
    with tempfile.TemporaryDirectory() as folder, running(sample()) as azure:
        env = {**os.environ, **settings(azure.settings, folder), "COLUMNS": "100", "NO_COLOR": "1"}
        sweep = ["sweep", *(part for state in SHOWN_STATES for part in ("--state", state))]
        plan = _printed(env, *sweep)
        (run,) = re.findall(r"^To apply exactly this plan: patchwright apply (\S+)$", plan, re.MULTILINE)
        story = _printed(env, "apply", run)
    commands = (f"patchwright {' '.join(sweep)}", f"patchwright apply {run}")
    return {
        name: "```text\n" + _made_same(f"$ {command}\n\n{text.strip()}", run) + "\n```"
        for name, command, text in zip(("plan", "story"), commands, (plan, story), strict=True)
    }


def _made_same(text: str, run: str) -> str:
    """What differs from run to run, and says nothing to a reader."""
    text = text.replace(run, f"{run.partition('-')[0]}-5ba1c0de")
    ids = iter(f"{number:08x}" for number in (0x3F9A2C1D, 0x9E77B40A, 0x1D5C08F2, 0x77C3E6B9))
    text = re.sub(r"(?<= plan )[0-9a-f]{8}$", lambda _: next(ids), text, flags=re.MULTILINE)
    return re.sub(r"(?<=reads in )\d+\.\d s", "0.9 s", text)


def _printed(env: Mapping[str, str], *arguments: str) -> str:
    done = subprocess.run([COMMAND, *arguments], env=env, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode or done.stderr:
        sys.exit(f"patchwright {' '.join(arguments)}: {done.stderr}{done.stdout}")
    return done.stdout


if __name__ == "__main__":
    raise SystemExit(main())
