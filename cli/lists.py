"""The ledger and the catalogue as lists on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from cli.deeds import name_of, objects
from cli.sheet import Part, Sheet
from cli.shown import moment_of, plural, shown
from cli.view import run_view
from model.documents import Document, list_at, text_at

_STATUS: Final = {"completed": "green", "waiting": "yellow", "running": "yellow"}
_MODES: Final = {"off": "dim", "observe": "", "ask": "yellow", "act": "green"}


def write_runs(sheet: Sheet, runs: Sequence[tuple[Document, bool]]) -> None:
    """A run in two lines: when, what kind and how it stands, then what came of it."""
    if not runs:
        sheet.line(("The ledger is empty. A first look: ", "dim"), ("patchwright sweep", "bold cyan"))
    for document, offline in runs:
        status = text_at(document, "status")
        sheet.ends(
            [(shown(text_at(document, "id")), "bold"), ("  " + moment_of(document.get("started")), "dim")],
            [(f"{text_at(document, 'mode')}  ", ""), (status, _STATUS.get(status, "bold red"))],
        )
        origin = "from a folder" if offline else f"by {text_at(document, 'trigger')}"
        if undone := shown(text_at(document, "undoes")):
            origin += f" · undoes {undone}"
        summary = run_view(document).summary if "findings" in document else text_at(document, "error")
        sheet.line((f"{origin} · ", "dim"), shown(summary), indent=2, hang=2)


def write_approvals(sheet: Sheet, approvals: Sequence[Document]) -> None:
    """What waits for an answer: what it is about, how to look at it, how to answer."""
    if not approvals:
        sheet.line(("Nothing waits for an answer.", "dim"))
    for number, approval in enumerate(approvals):
        if number:
            sheet.blank()
        until = f"until {moment_of(approval.get('expires'))} UTC"
        state = text_at(approval, "finding").partition(":")[0]
        sheet.ends(
            [("◆ ", "yellow"), (shown(approval.get("targetName")), "bold"), ("  " + shown(state), "cyan")],
            [(until, "yellow")],
        )
        sheet.line((shown(text_at(approval, "finding").partition(":")[2]), "dim"), indent=2)
        asked, run, id_ = moment_of(approval.get("asked")), text_at(approval, "run"), text_at(approval, "id")
        sheet.line(
            (f"asked {asked} · plan {text_at(approval, 'plan')[:8]} · ", "dim"),
            f"patchwright show {shown(run)}",
            indent=2,
            hang=2,
        )
        sheet.line((f"patchwright approve {shown(id_)} --reason WHY", "bold cyan"), indent=2, hang=2)
        sheet.line((f"patchwright reject {shown(id_)} --reason WHY", "bold cyan"), indent=2, hang=2)


def write_standing(sheet: Sheet, standing: Document) -> None:
    """What is paused, what is in flight all the same, what is queued, and how to go on."""
    write_pauses(sheet, objects(standing, "pauses"))
    if not objects(standing, "pauses"):
        sheet.line(("✔", "green"), " nothing is paused")
    for name, style, told in (
        ("inFlight", "yellow", "in flight: what has been sent is looked at to its end, and no step follows it"),
        ("queued", "", "queued: goes on only when a person says so"),
    ):
        works = objects(standing, name)
        if not works:
            continue
        sheet.blank()
        sheet.ends([(told, "bold")], [(str(len(works)), "dim")])
        sheet.rule()
        for work in works:
            state, _, target = text_at(work, "finding").partition(":")
            done, steps = work.get("stepsDone"), work.get("steps")
            half = (
                f"{done} of {steps} steps done"
                if done
                else f"not begun, {plural(steps if isinstance(steps, int) else 0, 'step')}"
            )
            mark = "◆" if done else "·"
            sheet.line(
                (f"{mark} ", style or "yellow"),
                (shown(work.get("targetName")), "bold"),
                ("  " + shown(state), "cyan"),
                f"  {half}",
                hang=2,
            )
            for owed in list_at(work, "owed"):
                sheet.line(("still to be put back: ", "bold yellow"), name_of(str(owed)), indent=2, hang=2)
            sheet.line((f"{shown(target)} · run {text_at(work, 'run')}", "dim"), indent=2)
    if objects(standing, "queued"):
        sheet.blank()
        sheet.line("To go on with it: ", ("patchwright resume --queued", "bold cyan"), hang=2)


def write_pauses(sheet: Sheet, pauses: Iterable[Document]) -> None:
    """Who has paused what, since when and why."""
    for pause in pauses:
        what = f"{shown(pause['state'])} is paused" if pause.get("state") else "the app is paused"
        who = f" by {shown(by)}" if (by := text_at(pause, "by")) else ""
        since = f" since {moment_of(pause.get('since'))} UTC{who}"
        why = f": {shown(reason)}" if (reason := text_at(pause, "reason")) else ""
        sheet.line(("‖ ", "bold red"), (what, "bold red"), f"{since}{why}", hang=2)


def write_states(sheet: Sheet, entries: Sequence[Document]) -> None:
    """Each failure state: what it is, where it is seen, how it is repaired, how far Patchwright goes."""
    pauses = [pause for entry in entries if isinstance(pause := entry.get("paused"), dict)]
    # That of the whole app holds for each of them, and is told once.
    whole = [pause for pause in pauses if not pause.get("state")][:1]
    write_pauses(sheet, whole)
    for number, entry in enumerate(entries):
        if number or whole:
            sheet.blank()
        mode = text_at(entry, "mode")
        sheet.ends([(text_at(entry, "id"), "bold cyan")], [("mode ", "dim"), (mode, _MODES.get(mode, ""))])
        write_pauses(sheet, [pause for pause in pauses if pause.get("state") == entry["id"]])
        sheet.line(first_paragraph(text_at(entry, "manual")), indent=2)
        seen = [*map(str, list_at(entry, "reads")), *(f"{query}.kql" for query in list_at(entry, "queries"))]
        sheet.line(("seen in   ", "dim"), ", ".join(seen), indent=2, hang=10)
        for remediation in objects(entry, "remediations"):
            head: list[Part] = [("repair    ", "dim"), (text_at(remediation, "id"), "bold")]
            kind = f"  {text_at(remediation, 'class')}, {text_at(remediation, 'impact')}"
            sheet.line(*head, (kind, "magenta"), indent=2, hang=10)
            sheet.line(first_paragraph(text_at(remediation, "manual")), indent=12)


def first_paragraph(manual: str) -> str:
    """What a manual page begins with, on one line."""
    return " ".join(manual.split("\n\n", 1)[0].split())
