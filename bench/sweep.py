"""A dry-run sweep over 10,000 machines, 1 % of them injured, beside a bare HTTP client that fetches the same pages.

`python -m bench.sweep [MACHINES]`. The simulated Azure is a process of its own and is not measured.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

from bench.measure import ROOT, measured, median, save

REPEATS = 5
FIRST = ("automation-rp-not-registered", "cloned-machine", "maintenance-window-exceeded", "source-id-changed")
"""The states of the first version: what all the others add is measured against them."""


def main(machines: int) -> int:
    """Measure, write `bench/results/sweep-MACHINES.json`, and say so."""
    with subprocess.Popen(
        [sys.executable, "-m", "simulator", "--machines", str(machines), "--seed", "1", "--port", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as azure:
        try:
            assert azure.stdout is not None
            ready = json.loads(azure.stdout.readline())
            with tempfile.TemporaryDirectory() as folder:
                result = _compare(ready["url"], {**ready["settings"], "DRY_RUN": "true"}, Path(folder))
        finally:
            azure.terminate()
    save(f"sweep-{machines}", {"machines": machines, "repeats": REPEATS, **result})
    return 0


def _compare(url: str, settings: dict[str, str], folder: Path) -> dict[str, object]:
    env = {**settings, "PATCHWRIGHT_LEDGER": f"sqlite:{folder / 'ledger.sqlite'}", "PATH": os.environ["PATH"]}
    sweep = [sys.executable, "-c", "from composition import main; raise SystemExit(main())", "sweep", "--json"]
    measured(sweep, env)  # the simulated Azure fills its caches
    _ask(url, "requests", "DELETE")
    runs = [measured(sweep, env)]
    log = _ask(url, "requests")
    pages = folder / "requests.json"
    asked = [{"method": r["method"], "url": _full(url, r), "body": json.loads(r["body"] or "null")} for r in log]
    pages.write_text(json.dumps(asked), encoding="utf-8")
    floors = {
        client: median([measured([sys.executable, "-m", "bench.floor", client, str(pages)]) for _ in range(REPEATS)])
        for client in ("socket", "requests")
    }
    runs += [measured(sweep, env) for _ in range(REPEATS - 1)]
    document = json.loads(subprocess.run(sweep, cwd=ROOT, env={**os.environ, **env}, stdout=-1, check=True).stdout)
    app = median(runs)
    first = [*sweep, *(word for state in FIRST for word in ("--state", state))]
    measured(first, env)
    few = median([measured(first, env) for _ in range(REPEATS)])
    return {
        "states": len(document["scope"]["states"]),
        "findings": len(document["findings"]),
        "unknown": len(document["unknown"]),
        "plans": len(document["plans"]),
        "requests": {"all": len(log), **Counter(_kind(r) for r in log)},
        "writes": sum(r["method"] in {"PUT", "PATCH", "DELETE"} for r in log),
        "app": app,
        "app_first_states": few,
        "ratio_to_first_states": {key: round(app[key] / few[key], 2) for key in app},
        "floors": floors,
        "ratios": {name: {key: round(app[key] / floor[key], 2) for key in app} for name, floor in floors.items()},
        "aim": {"cpu_ratio": 2.0, "peak_mb": 250, "wall_ratio_to_first_states": 2.0},
    }


def _ask(url: str, what: str, method: str = "GET") -> Any:
    with urlopen(Request(f"{url}/_simulator/{what}", method=method)) as answer:
        return json.loads(answer.read() or b"null")


def _full(url: str, request: dict[str, Any]) -> str:
    return f"{url}{quote(request['path'], safe='/$()')}?{urlencode(request['query'])}"


def _kind(request: dict[str, Any]) -> str:
    """What was asked, without names: the provider's type, or the kind of query."""
    path = str(request["path"]).lower()
    for word in (
        "microsoft.resourcegraph",
        "$batch",
        "softwareupdateconfigurationmachineruns",
        "softwareupdateconfigurationruns",
        "hybridrunbookworkergroups",
        "savedsearches",
    ):
        if word in path:
            return word
    if "softwareupdateconfigurations/" in path:
        return "one software update configuration"
    if "softwareupdateconfigurations" in path:
        return "softwareupdateconfigurations"
    if "virtualmachines/" in path:
        return "one virtual machine"
    return "provider" if "/providers/microsoft.automation" in path and "accounts" not in path else "other"


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
