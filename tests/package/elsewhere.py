"""In a process of its own: the unpacked app on the development host, a dry-run sweep, and where modules came from.

Called without `site`, so that no editable install of the clone can lend what the package has not.
Arguments: the unpacked package, a folder with nothing but the development host, the folder of the pinned packages.
"""

from __future__ import annotations

import json
import os
import sys
import sysconfig
import urllib.request
from pathlib import Path

app, host, packages = map(Path, sys.argv[1:4])
here = Path(__file__).parent
sys.path[:] = [str(app), *(path for path in sys.path if path and Path(path) != here), str(host), str(packages)]

import devhost.host as devhost  # noqa: E402 - what it finds depends on the path

vars(devhost)["PROJECT"] = app
os.chdir(app)


def ask(url: str, body: object = None) -> tuple[int, dict[str, object]]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310 - loopback
        return answer.status, json.loads(answer.read())


with devhost.running(json.loads(sys.stdin.read())) as thread:
    url = f"{thread.host.url}/api"
    functions = sorted(thread.host.worker.functions)
    health = ask(f"{url}/health")
    _, started = ask(f"{url}/sweeps", {})
    thread.run(thread.host.hub.idle(), 120)
    _, run = ask(f"{url}/runs/{started['id']}")

library = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")]
standard = [Path(__file__), *library, packages, app, host / "devhost"]
files = {Path(file) for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))}
strangers = sorted(str(file) for file in files if not any(file.is_relative_to(place) for place in standard))
print(json.dumps({"functions": functions, "health": health, "run": run, "strangers": strangers}))
