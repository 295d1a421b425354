"""A run on a terminal: what was found, what would be done about it, what was done."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cli.endings import Mark, Tone
from cli.sheet import Part, Sheet
from cli.shown import plural, short_guids
from cli.story import StoryLine
from cli.view import (
    AdviceView,
    DiffLine,
    FindingView,
    GroupView,
    PlanView,
    RunView,
    StepView,
    UnknownView,
)

_STYLES: Final[dict[Tone, str]] = {"good": "green", "careful": "yellow", "bad": "bold red", "quiet": "dim"}
_SIGNS: Final = {"+": "green", "-": "red", "~": "yellow", ">": "magenta", "…": "cyan"}
_IMPACTS: Final = {"read-only": "green", "additive": "green", "reversible": "cyan", "disruptive": "magenta"}
_MARKS: Final[dict[Tone, str]] = {"good": "✔", "careful": "◆", "bad": "✘", "quiet": "·"}
_PIECES: Final = {"same": ("", "", "dim"), "gone": ("[-", "-]", "red"), "new": ("{+", "+}", "green")}
_COLUMNS: Final = 100
"""From here on there is room for a story in columns."""
_IN: Final = 2
"""Where the text of a finding begins."""


def write_run(sheet: Sheet, view: RunView) -> None:
    """Header, findings with their plans, what is unknown, what happened, and the one line that sums it up."""
    write_header(sheet, view)
    write_findings(sheet, view)
    if view.story:
        sheet.blank()
        write_story(sheet, view.story)
    write_summary(sheet, view)


def write_header(sheet: Sheet, view: RunView, *, live: bool = False) -> None:
    """What was read. `live` leaves out how the run stands: its reader is watching it."""
    _title(sheet, view)
    sheet.line((view.read, "dim"))
    if view.status.word != "completed" and not live:
        told = f"{view.status.word}: {view.status.text}" if view.status.text else view.status.word
        sheet.line((told, _STYLES[view.status.tone]))
    for what in view.partial:
        sheet.line(("◆ could not be read: ", "yellow"), what, hang=2)


def write_apply_header(sheet: Sheet, view: RunView, only: int | None = None) -> None:
    """What is about to be applied; `only` some of it where that is given."""
    _title(sheet, view, "apply")
    plans = sum(1 for group in view.groups for finding in group.findings if finding.plan)
    told = plural(plans, "repair") if only in {None, plans} else f"{only} of {plural(plans, 'repair')}"
    sheet.line((f"the saved plan: {told}; each is looked at again before it is applied", "dim"))


def _title(sheet: Sheet, view: RunView, title: str = "") -> None:
    sheet.ends([("Patchwright", "bold"), f" · {title or view.title}"], [(view.id, "dim")])


def write_findings(sheet: Sheet, view: RunView) -> None:
    for group in view.groups:
        _group(sheet, group)
    _unknown(sheet, view.unknown)


def write_summary(sheet: Sheet, view: RunView) -> None:
    sheet.blank()
    sheet.rule()
    sheet.line((view.summary, f"bold {_STYLES[view.tone]}"))


def write_next(sheet: Sheet, *lines: tuple[str, str]) -> None:
    """What a person may want to type now: a sentence, and the command."""
    for sentence, command in lines:
        if command:
            sheet.line(sentence, " ", (command, "bold cyan"), hang=2)
        else:
            sheet.line((sentence, "dim"))


def _group(sheet: Sheet, group: GroupView) -> None:
    sheet.blank()
    sheet.ends([(group.state, "bold")], [(plural(len(group.findings), "finding"), "dim")])
    sheet.rule()
    for number, finding in enumerate(group.findings):
        if number:
            sheet.blank()
        _finding(sheet, finding)


def _finding(sheet: Sheet, finding: FindingView) -> None:
    mark, style = ("○", "yellow") if finding.advice else ("●", "red")
    sheet.line((mark, style), " ", (finding.name, "bold"))
    sheet.line((finding.id, "dim"), indent=_IN)
    since = f", since {finding.since} UTC" if finding.since else ""
    sheet.line(f"{short_guids(finding.reason)}{since}", indent=_IN)
    sheet.blank()
    if finding.advice:
        _advice(sheet, finding.advice)
    if finding.plan:
        _plan(sheet, finding.plan, finding.ended)


def _advice(sheet: Sheet, advice: AdviceView) -> None:
    bar: Part = ("  │ ", _STYLES["careful"])
    sheet.line(("needs you", "bold yellow"), f"  {advice.summary}", hang=11, bar=bar)
    for number, step in enumerate(advice.steps, 1):
        sheet.line((f"{number}. ", "yellow"), step, indent=11, hang=3, bar=bar)


def _plan(sheet: Sheet, plan: PlanView, ended: Mark | None) -> None:
    mark = ended or plan.verdict
    bar: Part = ("  │ ", _STYLES[mark.tone])
    impact = (plan.impact, _IMPACTS.get(plan.impact, ""))
    sheet.line((plan.remediation, "bold"), "  ", impact, ("  plan ", "dim"), (plan.id[:8], "dim"), bar=bar)
    sheet.line(plan.reason, bar=bar)
    for step in plan.steps:
        _step(sheet, step, bar)
    sheet.line("", bar=bar)
    for label, text in (("risk", plan.risk), ("undo", plan.undo), ("verify", plan.verify)):
        if text:
            sheet.line((f"{label:<8}", "dim"), text, hang=8, bar=bar)
    said = f"{mark.word}: {mark.text}" if mark.text and mark.word != "allowed" else mark.word
    sheet.line((_MARKS[mark.tone], _STYLES[mark.tone]), " ", (said, _STYLES[mark.tone]), hang=2, bar=bar)


def _step(sheet: Sheet, step: StepView, bar: Part) -> None:
    sheet.line("", bar=bar)
    sheet.line((step.sign, f"bold {_SIGNS[step.sign]}"), f" {step.number}. ", step.title, hang=5, bar=bar)
    sheet.line((f"{step.method} {step.short_path}", "dim"), indent=5, hang=5, bar=bar)
    for name, value in step.parameters:
        sheet.line((f"{name} = ", "dim"), short_guids(value), indent=5, hang=5, bar=bar)
    for change in step.diff:
        _change(sheet, change, bar)


def _change(sheet: Sheet, change: DiffLine, bar: Part) -> None:
    head: list[Part] = [(change.sign, f"bold {_SIGNS[change.sign]}"), f" {change.field}"]
    if change.pieces:
        sheet.line(*head, indent=5, bar=bar)
        sheet.line(*_words(change), indent=9, bar=bar)
        return
    before, after = change.before, change.after
    if before and after:
        whole: list[Part] = [*head, "  ", (before.text, "red"), (" -> ", "dim"), (after.text, "green")]
        if sheet.fits(*whole, indent=9):
            sheet.line(*whole, indent=5, bar=bar)
            return
        sheet.line(*head, indent=5, bar=bar)
        sheet.line(("   ", ""), (before.text, "red"), indent=7, hang=3, bar=bar)
        sheet.line(("-> ", "dim"), (after.text, "green"), indent=7, hang=3, bar=bar)
        return
    value = before or after
    if value:
        sheet.line(*head, "  ", (value.text, _SIGNS[change.sign]), indent=5, hang=4, bar=bar)
        if value.id:
            sheet.line((value.id, "dim"), indent=7, hang=2, bar=bar)


def _words(change: DiffLine) -> Iterable[Part]:
    for piece in change.pieces:
        before, after, style = _PIECES[piece.kind]
        yield (f"{before}{piece.text}{after}", style)


def _unknown(sheet: Sheet, unknown: Iterable[UnknownView]) -> None:
    unknown = list(unknown)
    if not unknown:
        return
    sheet.blank()
    sheet.ends([("unknown", "bold")], [("neither found nor healthy", "dim")])
    sheet.rule()
    for item in unknown:
        sheet.line(("? ", "bold yellow"), item.state, *([("  " + item.target, "dim")] if item.target else []), hang=2)
        sheet.line(f"missing: {item.missing}", indent=_IN)


def write_story(sheet: Sheet, lines: Iterable[StoryLine], before: StoryLine | None = None) -> StoryLine | None:
    """One line for each thing that happened; answers the last. A day is named where it begins."""
    for line in lines:
        new_day = before is None or before.at is None or line.at is None or before.at.date() != line.at.date()
        if new_day:
            sheet.line((f"{line.at:%a} {line.at.day} {line.at:%b %Y}" if line.at else "at a time unknown", "bold"))
        time: Part = (f"{line.at:%H:%M}  " if line.at else "       ", "dim")
        mark: Part = (_MARKS[line.tone], _STYLES[line.tone])
        who = short_guids(line.name)
        if sheet.width >= _COLUMNS:
            # The longest state's name is the measure; a long machine's name pushes what follows.
            columns: list[Part] = [(f"{line.state:<28}  ", "cyan"), (f"{who:<16}  ", "bold")]
            sheet.line(time, mark, " ", *columns, short_guids(line.text), hang=57)
        else:
            if new_day or before is None or (before.state, before.name) != (line.state, line.name):
                sheet.line((line.state, "cyan"), "  ", (who, "bold"), indent=7)
            sheet.line(time, mark, " ", short_guids(line.text), hang=9)
        before = line
    return before
