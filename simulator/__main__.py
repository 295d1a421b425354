"""`python -m simulator`: serve a fleet folder or a generated fleet until a signal; one JSON line says when it is ready.

`main` is also the command line's `patchwright simulate`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from simulator.fleet import Fleet, load_folder, save_folder
from simulator.fleets import generate, sample
from simulator.options import Options
from simulator.serve import Server, write_local_settings


def main(argv: Sequence[str] | None = None) -> int:
    """Serve; 0 when stopped by a signal, 1 where the fleet cannot be served, 2 for wrong usage."""
    arguments = _parser().parse_args(argv)
    try:
        fleet = load_folder(arguments.fleet) if arguments.fleet else _generated(arguments)
        if arguments.save:
            save_folder(fleet, arguments.save)
        options = Options(
            flows=arguments.clock == "flowing", page_size=arguments.page_size, retry_after=arguments.retry_after
        )
        server = Server(fleet, port=arguments.port, options=options)
    except (ValueError, OSError) as error:
        print(f"simulate: {error}", file=sys.stderr)  # noqa: T201 - the answer of a command
        return 1
    settings = server.settings()
    if arguments.settings:
        write_local_settings(arguments.settings, settings)
    announcement = threading.Thread(target=_announce, args=(server, settings), daemon=True)
    announcement.start()
    # The server passes a signal on once it has shut down; that is the end wished for, not a failure.
    signal.signal(signal.SIGTERM, lambda *_: None)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    server.close()
    return 0


def _announce(server: Server, settings: dict[str, str]) -> None:
    while not server.started:
        time.sleep(0.01)
    print(json.dumps({"ready": True, "url": server.url, "settings": settings}), flush=True)  # noqa: T201


def _generated(arguments: argparse.Namespace) -> Fleet:
    """The sample estate unless a size is asked for."""
    return sample() if arguments.machines is None else generate(machines=arguments.machines, seed=arguments.seed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="simulate", description="The simulated Azure on loopback.")
    parser.add_argument("--fleet", type=Path, metavar="DIR", help="a fleet folder; else a fleet is generated")
    parser.add_argument("--machines", type=int, metavar="N", help="size of a generated fleet; without one the sample")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="seed of a generated fleet (1)")
    parser.add_argument("--port", type=int, default=0, metavar="P", help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="write a Functions local.settings.json")
    parser.add_argument("--save", type=Path, metavar="DIR", help="also write the fleet to a folder")
    parser.add_argument("--clock", choices=("frozen", "flowing"), default="frozen", help="simulated time (frozen)")
    parser.add_argument("--page-size", type=int, default=100, metavar="N", help="items a page of lists (100)")
    parser.add_argument("--retry-after", type=int, default=1, metavar="S", help="seconds long operations ask for (1)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
