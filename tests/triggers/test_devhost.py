"""`python -m devhost`: what `make serve` starts, as a process."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from devhost.host import PROJECT
from model.documents import Document


@contextlib.contextmanager
def serving(folder: Path, *arguments: str, **env: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its address; it is ended with Ctrl-C."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with subprocess.Popen(
        [sys.executable, "-m", "devhost", "--port", "0", *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(PROJECT), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            said = ""
            assert process.stdout is not None
            for line in process.stdout:
                said += line
                if line.startswith("Ctrl-C"):
                    break
            found = re.search(r"(http://\S+)/api\n", said)
            assert found, said
            yield process, found[1]
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def call(method: str, address: str, body: Document | None = None) -> tuple[int, Document]:
    request = urllib.request.Request(  # noqa: S310 - our own loopback address
        address,
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
        return answer.status, json.loads(answer.read() or b"{}")


def finished(url: str, run: str) -> Document:
    for _ in range(300):
        _, document = call("GET", f"{url}/api/runs/{run}")
        if document["status"] in {"completed", "failed"}:
            return document
        time.sleep(0.2)
    raise AssertionError(f"run {run} is not over: {document['status']}")


def test_it_answers_the_three_triggers_and_ends_everything_with_ctrl_c(tmp_path: Path) -> None:
    """HTTP, an alert and the timer; afterwards the simulated Azure that it started is gone as well."""
    with serving(tmp_path) as (process, url):
        assert call("GET", f"{url}/api/health") == (200, {"status": "ready", "dryRun": True})
        _, by_http = call("POST", f"{url}/api/sweeps", {})
        assert finished(url, str(by_http["id"]))["trigger"] == "http"
        status, _ = call("POST", f"{url}/admin/functions/nightly_sweep")
        assert status == 202
        _, runs = call("GET", f"{url}/api/runs")
        children = _children(process.pid)
        assert len(children) == 1

    assert process.returncode == 0
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    assert isinstance(runs["runs"], list)
    assert len(runs["runs"]) == 2


def test_a_plan_is_applied_where_the_lock_is_opened(tmp_path: Path) -> None:
    """Every state waits for a person there, and the person's call is what applies it. Days pass in seconds."""
    with serving(tmp_path, DRY_RUN="false") as (_, url):
        _, started = call("POST", f"{url}/api/sweeps", {"states": ["automation-rp-not-registered"]})
        run = str(started["id"])
        finished(url, run)
        status, _ = call("POST", f"{url}/api/runs/{run}/apply", {})
        assert status == 202
        time.sleep(0.5)
        done = finished(url, run)

    assert done["mode"] == "apply"
    assert isinstance(done["outcomes"], list)
    assert {outcome["outcome"] for outcome in done["outcomes"] if isinstance(outcome, dict)} == {"remediated"}


def test_a_second_start_begins_with_a_ledger_of_its_own(tmp_path: Path) -> None:
    """The simulated night is the same night again; it is swept again."""
    for _ in range(2):
        with serving(tmp_path) as (_, url):
            call("POST", f"{url}/admin/functions/nightly_sweep")
            _, runs = call("GET", f"{url}/api/runs")
        assert isinstance(runs["runs"], list)
        assert len(runs["runs"]) == 1


@pytest.mark.parametrize(("arguments", "status"), [(["--fleet", "no-such-folder"], 1), (["--nonsense"], 2)])
def test_what_cannot_be_served_is_said(tmp_path: Path, arguments: list[str], status: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "devhost", "--port", "0", *arguments],
        cwd=tmp_path,
        env={**_clean(), "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == status
    assert "Traceback" not in done.stderr


def _clean() -> Mapping[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
