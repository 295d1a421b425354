"""What the inside of a machine says of itself: the rules, and the answers of the diagnosis scripts as values.

An answer counts whole or not at all: without its end marker, with another count or checksum, with a byte that no rule
writes, it is unreadable. A rule that did not answer is unknown; nothing here turns doubt into `passed`.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from model.documents import Document, Json, list_at, text_at
from model.facts import Unreadable


class OperatingSystem(StrEnum):
    WINDOWS = "windows"
    LINUX = "linux"


class Service(StrEnum):
    """The generation of the service that a rule matters to."""

    UPDATE_MANAGEMENT = "update-management"
    UPDATE_MANAGER = "update-manager"


class Result(StrEnum):
    """How a rule ended."""

    PASSED = "passed"
    WARNING = "warning"
    FAILED = "failed"
    NOT_APPLICABLE = "not-applicable"
    UNKNOWN = "unknown"
    """It could not be measured, or what measured it cannot be relied on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that patching depends on inside a machine."""

    id: str
    """Kebab-case, unique within its operating system; the same name on both where the same is meant."""
    code: str
    """As the diagnosis script writes it: at most three letters."""
    os: OperatingSystem
    services: frozenset[Service]
    group: str
    title: str
    means: str
    """What a failure, or a warning, means."""
    advice: str
    microsoft: frozenset[str]
    """Ids of the same rule in the output of Microsoft's own troubleshooters."""
    distrust: Mapping[str, frozenset[Result]]
    """Results, by Microsoft's id, that its troubleshooter also gives where it could not know: unknown here."""
    source: str
    reviewed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """A release of Linux, and who supports it; a major version stands for its minor ones."""

    id: str
    """`ID` of `/etc/os-release`."""
    version: str
    services: frozenset[Service]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTable:
    rules: tuple[Rule, ...]
    distributions: tuple[Distribution, ...]

    def of(self, os: OperatingSystem) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.os is os)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    result: Result
    detail: str = ""
    """A few characters that say more: a stage, a version, a count."""


NOT_REPORTED: Final = RuleResult(result=Result.UNKNOWN, detail="not reported")


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """A machine's answers to every rule of its operating system."""

    os: OperatingSystem
    results: Mapping[str, RuleResult]
    """By rule id; a rule that the machine did not answer is here, too, as unknown."""
    updates: frozenset[str] | None = None
    """Numbers of the updates that the machine itself lists as installed, without `KB`; None where they are unknown."""

    def __getitem__(self, rule: str) -> RuleResult:
        return self.results[rule]

    def rules(self, *results: Result, service: Service | None = None) -> tuple[Rule, ...]:
        """The rules that ended so, in the order of the table; of one service only, where one is given."""
        return tuple(
            rule
            for rule in RULES.of(self.os)
            if self.results[rule.id].result in results and (service is None or service in rule.services)
        )


def read_rules(text: str) -> RuleTable:
    """The table of rules from its data file.

    Raises:
        KeyError, ValueError: the file is not what this version was written for.
    """
    document = json.loads(text)
    return RuleTable(
        rules=tuple(
            Rule(
                id=row["id"],
                code=row["code"],
                os=OperatingSystem(row["os"]),
                services=frozenset(map(Service, row["services"])),
                group=row["group"],
                title=row["title"],
                means=row["means"],
                advice=row["advice"],
                microsoft=frozenset(row["microsoft"]),
                distrust={key: frozenset(map(Result, value)) for key, value in row.get("distrust", {}).items()},
                source=row["source"],
                reviewed=row["reviewed"],
            )
            for row in document["rules"]
        ),
        distributions=tuple(
            Distribution(id=row["id"], version=row["version"], services=frozenset(map(Service, row["services"])))
            for row in document["distributions"]
        ),
    )


RULES: Final = read_rules((Path(__file__).parent / "diagnosis_rules.json").read_text(encoding="utf-8"))

INSTALLED_UPDATES: Final = "installed-updates"
"""The rule that counts the updates which an answer lists."""
HEADER: Final = "patchwright-diagnosis 1 "
MOST_LINE: Final = 60
"""Bytes that one rule may take in an answer, its line end included."""
_LINE: Final = re.compile(r"([a-z]{1,3}):([PWFNUI])(?::([A-Za-z0-9._,+-]{0,40}))?", re.ASCII)
_UPDATES: Final = re.compile(r"\+([0-9]{6,8}(?:,[0-9]{6,8}){0,5})", re.ASCII)
MOST_UPDATES: Final = 150
"""Installed updates that an answer lists at most, six a line; with more of them it lists none."""
_END: Final = re.compile(r"patchwright-end ([0-9]{1,3}) ([0-9a-f]{8})", re.ASCII)
_RESULTS: Final = {
    "P": Result.PASSED,
    "W": Result.WARNING,
    "F": Result.FAILED,
    "N": Result.NOT_APPLICABLE,
    "U": Result.UNKNOWN,
    # Measured, and left to whoever reads it to judge: only `_judged` makes more of it.
    "I": Result.UNKNOWN,
}


def parse_diagnosis(text: str, os: OperatingSystem) -> Diagnosis | Unreadable:
    """Read what `diagnose.ps1` or `diagnose.sh` printed, whatever stands before and after it."""
    lines = [line.rstrip("\r") for line in text.split("\n")]
    starts = [number for number, line in enumerate(lines) if line.startswith(HEADER)]
    if not starts:
        return _not("the diagnosis has no beginning")
    said = lines[starts[-1]].removeprefix(HEADER)
    if said != os.value:
        return _not(f"the diagnosis is one of {said[:20]!r}, not of {os.value}")
    rest = lines[starts[-1] + 1 :]
    ends = [number for number, line in enumerate(rest) if line.startswith("patchwright-end")]
    marker = _END.fullmatch(rest[ends[0]]) if ends else None
    if marker is None:
        return _not("the diagnosis has no end")
    body = rest[: ends[0]]
    listed = [match[1] for line in body if (match := _UPDATES.fullmatch(line))]
    found = [match for line in body if (match := _LINE.fullmatch(line))]
    if len(found) + len(listed) != len(body):
        return _not("the diagnosis holds a line that no rule writes")
    if len(body) != int(marker[1]):
        return _not(f"the diagnosis has {len(body)} rules, and should have {marker[1]}")
    if checksum("".join(f"{line}\n" for line in body)) != marker[2]:
        return _not("the diagnosis has another checksum")
    by_code = {rule.code: rule for rule in RULES.of(os)}
    results: dict[str, RuleResult] = {}
    for match in found:
        rule = by_code.get(match[1])
        if rule is None:
            return _not(f"the diagnosis has a rule {match[1]}, which is not known here")
        if rule.id in results:
            return _not(f"the diagnosis has the rule {match[1]} twice")
        results[rule.id] = _judged(rule, match[2], match[3] or "")
    updates = [number for line in listed for number in line.split(",")]
    told = results.get(INSTALLED_UPDATES, NOT_REPORTED)
    if told.result is not Result.PASSED:
        return _not("the diagnosis lists updates that it did not count") if updates else _complete(os, results)
    if told.detail != str(len(updates)):
        return _not(f"the diagnosis lists {len(updates)} updates, and should list {told.detail[:20] or 'some'}")
    return _complete(os, results, frozenset(updates))


def read_diagnosis(text: str) -> Diagnosis | Unreadable:
    """Read what somebody kept of a diagnosis: the answer of one of our scripts, or a troubleshooter's JSON.

    Whose it is, it says itself; both troubleshooters of Linux name rules that none of Windows has.
    """
    if HEADER in text:
        said = text.rpartition(HEADER)[2].split("\n", 1)[0].strip()
        os = OperatingSystem(said) if said in set(OperatingSystem) else OperatingSystem.WINDOWS
        return parse_diagnosis(text, os)
    of_linux = re.search(r'"RuleId"\s*:\s*"(?:Linux\.|SudoCheck|PythonVersionCheck)', text)
    return parse_troubleshooter(text, OperatingSystem.LINUX if of_linux else OperatingSystem.WINDOWS)


def checksum(lines: str) -> str:
    """Adler-32 of the rules' lines, as the scripts write it."""
    return f"{zlib.adler32(lines.encode()):08x}"


def _judged(rule: Rule, letter: str, detail: str) -> RuleResult:
    if letter == "I" and rule.id == "os-version":
        return RuleResult(result=_distribution(detail), detail=detail)
    return RuleResult(result=_RESULTS[letter], detail=detail)


def _distribution(release: str) -> Result:
    """How far a release of Linux, as `id-version`, is supported; of one newer than the list nothing is known."""
    name, _, version = release.partition("-")
    listed = [one for one in RULES.distributions if one.id == name]
    match = next((one for one in listed if version == one.version or version.startswith(f"{one.version}.")), None)
    if match:
        return Result.PASSED if match.services == frozenset(Service) else Result.WARNING
    number = _number(version)
    if not number or (listed and number > max(_number(one.version) for one in listed)):
        return Result.UNKNOWN
    return Result.FAILED


def _number(version: str) -> tuple[int, ...]:
    parts = version.split(".")
    return tuple(map(int, parts)) if all(part.isascii() and part.isdigit() and len(part) < 9 for part in parts) else ()


def _complete(
    os: OperatingSystem, results: Mapping[str, RuleResult], updates: frozenset[str] | None = None
) -> Diagnosis:
    whole = {rule.id: results.get(rule.id, NOT_REPORTED) for rule in RULES.of(os)}
    return Diagnosis(os=os, results=whole, updates=updates)


def _not(what: str) -> Unreadable:
    return Unreadable(what=what)


_MICROSOFT: Final = {
    "Passed": Result.PASSED,
    "PassedWithWarning": Result.WARNING,
    "Failed": Result.FAILED,
    "Information": Result.UNKNOWN,
}
_WORST_FIRST: Final = (Result.FAILED, Result.UNKNOWN, Result.WARNING, Result.PASSED, Result.NOT_APPLICABLE)


def parse_troubleshooter(text: str, os: OperatingSystem) -> Diagnosis | Unreadable:
    """Read the JSON that one of Microsoft's own troubleshooters printed, in its compact or its full form.

    Its rules that are not known here are passed over. Several records of one rule (a host each) count as the worst of
    them. A result that the troubleshooter also gives where it could not tell is unknown.
    """
    try:
        document: Json = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        return _not(f"the troubleshooter's output is not JSON: {error!s:.80}")
    records = document if isinstance(document, list) else [document]
    rules = {id_: rule for rule in RULES.of(os) for id_ in rule.microsoft}
    results: dict[str, RuleResult] = {}
    for record in records:
        if not isinstance(record, dict) or not text_at(record, "RuleId"):
            return _not("the troubleshooter's output holds something that is no rule")
        id_ = text_at(record, "RuleId")
        # One record for each host, numbered; other numbers belong to the id.
        rule = rules.get(id_) or rules.get(re.sub(r"(?<=LogAnalyticsConnectivityCheck)[0-9]{1,2}\Z", "", id_))
        if rule is None:
            continue
        said = _said(record, rule.distrust.get(id_, frozenset()))
        known = results.get(rule.id)
        results[rule.id] = min((said, known) if known else (said,), key=lambda one: _WORST_FIRST.index(one.result))
    if not results:
        return _not(f"the troubleshooter's output has no rule of {os.value}")
    return _complete(os, results)


def _said(record: Document, distrust: frozenset[Result]) -> RuleResult:
    """What one record says; where its parts contradict one another it says nothing."""
    result = _MICROSOFT.get(text_at(record, "CheckResult"))
    message = text_at(record, "CheckResultMessageId").removeprefix(text_at(record, "RuleId")).lstrip(".").split(".")
    if result is None:
        return RuleResult(result=Result.UNKNOWN, detail="no result")
    if message[0] in _MICROSOFT and _MICROSOFT[message[0]] is not result:
        return RuleResult(result=Result.UNKNOWN, detail="contradictory")
    if result in distrust:
        return RuleResult(result=Result.UNKNOWN, detail=f"not to be relied on: {result.value}")
    return RuleResult(result=result, detail=", ".join([*message[1:], *_arguments(record)])[:200])


def _arguments(record: Document) -> Iterator[str]:
    for value in list_at(record, "CheckResultMessageArguments"):
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            yield str(value)
