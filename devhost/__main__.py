"""`python -m devhost`: the simulated Azure and the function app in front of it, until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from devhost.host import OTHER_SETTINGS, PROJECT, Host, settings_of
from devhost.worker import AppBroken
from engine.settings import PREFIX

_PATIENCE: Final = 10.0
"""Seconds until a simulated Azure that does not go down by itself is ended."""


class NoSimulator(Exception):
    """The simulated Azure did not start; what it said went to standard error."""


def main(argv: Sequence[str] | None = None) -> int:
    """Serve; 0 when stopped, 1 where something does not start, 2 for wrong usage."""
    arguments = _parser().parse_args(argv)
    _log_to_terminal()
    try:
        host = Host(port=arguments.port)
        with _simulated(arguments) as simulated, settings_of(_settings(simulated, host)):
            return asyncio.run(_serve(host))
    except (NoSimulator, AppBroken, OSError) as error:
        print(f"devhost: {error}", file=sys.stderr)  # noqa: T201 - the answer of a command
        return 1


async def _serve(host: Host) -> int:
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    try:
        await host.start()
        print(_banner(host), flush=True)  # noqa: T201 - the answer of a command
        await over.wait()
    finally:
        await host.stop()
    return 0


@contextlib.contextmanager
def _simulated(arguments: argparse.Namespace) -> Iterator[Mapping[str, str]]:
    """The simulated Azure as a process of its own, for as long as the block lasts; the settings that point to it."""
    fleet: list[str] = []
    if arguments.fleet:
        fleet = ["--fleet", str(arguments.fleet)]
    elif arguments.machines:
        fleet = ["--machines", str(arguments.machines), "--seed", str(arguments.seed)]
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "simulator", *fleet],
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
        # Ctrl-C is for us; the simulated Azure goes after the app.
        start_new_session=True,
    ) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise NoSimulator("the simulated Azure did not start")
            yield json.loads(line)["settings"]
        finally:
            process.terminate()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def _settings(simulated: Mapping[str, str], host: Host) -> dict[str, str]:
    """The simulated Azure's settings and the environment's own; where that says nothing, plans wait for a person."""
    chosen = {name: value for name, value in os.environ.items() if name.startswith(PREFIX) or name in OTHER_SETTINGS}
    defaults = {f"{PREFIX}MODES": '{"*": "ask"}', "DRY_RUN": "true"}
    if "AzureWebJobsStorage" not in chosen:
        defaults[f"{PREFIX}LEDGER"] = f"sqlite:{_fresh_ledger(host)}"
    return {**defaults, **{name: value for name, value in simulated.items() if name != "DRY_RUN"}, **chosen}


def _fresh_ledger(host: Host) -> Path:
    """The simulated Azure begins anew each time, at the same hour of the same day, and so does what is known of it."""
    port = host.url.rpartition(":")[2]
    file = Path(".patchwright") / f"devhost-{port}.sqlite"
    for part in (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")):
        part.unlink(missing_ok=True)
    return file


class _WithFields(logging.Formatter):
    """A line with the fields of the event behind its phrase."""

    _PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

    def format(self, record: logging.LogRecord) -> str:
        fields = [f"{name}={value}" for name, value in vars(record).items() if name not in self._PLAIN]
        return " ".join([super().format(record), *fields])


def _log_to_terminal() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_WithFields("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for ours in ("patchwright", "devhost"):
        logging.getLogger(ours).setLevel(logging.INFO)


def _banner(host: Host) -> str:
    locked = os.environ.get("DRY_RUN", "true").strip().lower() != "false"
    key = "-H 'content-type: application/json'"
    return "\n".join(
        [
            "",
            f"Patchwright     {host.url}/api",
            f"portal          {host.url}/api/portal",
            f"simulated Azure {os.environ[f'{PREFIX}CLOUD']}   (time passes when a run waits for it)",
            f"ledger          {os.environ.get(f'{PREFIX}LEDGER', 'AzureWebJobsStorage')}",
            "DRY_RUN is set: nothing can be applied. Start with DRY_RUN=false to try it."
            if locked
            else "DRY_RUN is off: POST /api/runs/{id}/apply applies the plan of a run.",
            "",
            f"curl -i {host.url}/api/health",
            f"curl -i -X POST {host.url}/api/sweeps {key} -d '{{}}'",
            f"curl -s {host.url}/api/runs",
            f"curl -i -X POST {host.url}/admin/functions/nightly_sweep    # the timer, now",
            "",
            "Ctrl-C ends all of it.",
        ]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="devhost", description="The function app on a development host.")
    parser.add_argument(
        "--port", type=int, default=7071, metavar="P", help="port on 127.0.0.1; 0 takes a free one (7071)"
    )
    parser.add_argument("--fleet", type=Path, metavar="DIR", help="a fleet folder; else a fleet is generated")
    parser.add_argument("--machines", type=int, metavar="N", help="size of a generated fleet; without one the sample")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="seed of a generated fleet (1)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
