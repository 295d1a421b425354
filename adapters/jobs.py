"""What an Automation job wrote, as text: of any size, cut anywhere, in whatever encoding a guest used."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from adapters.arm import Arm
from engine.ports import AzureUnavailable, NotFound
from model.documents import text_at
from model.facts import JobOutput, MachineRun

BEGINNING: Final = 16_384
"""Characters kept of the beginning of a long output: what was set up, and what was refused at once."""
END: Final = 49_152
"""Characters kept of its end, where a failure is told."""
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_ERRORS: Final = {"$filter": "properties/streamType eq 'Error'"}
_MARKS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def job_output(arm: Arm, account: str, job: str) -> JobOutput:
    """The output of a job; where it wrote none, the errors among its streams. Raises as `Arm.get` does."""
    if job in {"", ".", ".."} or "/" in job:
        raise AzureUnavailable(f"{job[:100]!r} is not the name of a job")
    path = f"{account}/jobs/{job}"
    try:
        text = decoded(arm.content(f"{path}/output"))
    except NotFound:
        # A job that failed before it wrote anything has no output, and may have streams.
        text = ""
    if not text.strip():
        streams = arm.all_of(f"{path}/streams", _ERRORS)
        text = "\n".join(text_at(s, "properties.summary") or text_at(s, "properties.streamText") for s in streams)
    return shortened(text)


def newest_failures(runs: Iterable[MachineRun]) -> list[MachineRun]:
    """Of each machine the newest run that failed in a job, the newest of all first."""
    failed = [run for run in runs if run.status == "failed" and run.job]
    failed.sort(key=lambda run: run.start or _LONG_AGO, reverse=True)
    newest: dict[str, MachineRun] = {}
    for run in failed:
        newest.setdefault(run.target, run)
    return list(newest.values())


def decoded(content: bytes) -> str:
    """Bytes as text: by their mark, else as UTF-8 where they are that, else byte by byte. Never raises."""
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    if encoding is None and b"\0" in content[:64]:
        # Without a mark: every other byte of ASCII in UTF-16 is zero.
        encoding = "utf-16-le" if content[1:2] == b"\0" else "utf-16-be"
    # Tools of a guest write in several encodings into one stream: what is ASCII in it stays readable.
    return content.decode(encoding or "utf-8", errors="replace").replace("\0", "")


def shortened(text: str) -> JobOutput:
    """Beginning and end of a long text, on whole lines where there are lines."""
    if len(text) <= BEGINNING + END:
        return JobOutput(text=text)
    return JobOutput(text=f"{text[:BEGINNING]}\n[...]\n{text[-END:]}", cut=True)
