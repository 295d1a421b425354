"""What machines say of their inside, for tests: a case names only the rules that it is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from model.diagnosis import RULES, Diagnosis, OperatingSystem, checksum, parse_diagnosis
from model.facts import Facts, Unreadable


def an_answer(os: OperatingSystem = OperatingSystem.WINDOWS, /, updates: Iterable[str] = (), **said: str) -> str:
    """What the script prints of a machine that passes everything but what is `said`, by code."""
    numbers = [*updates]
    said = {"kbs": f"P:{len(numbers)}"} | said
    lines = [f"{rule.code}:{said.get(rule.code, 'P')}" for rule in RULES.of(os)]
    lines += ["+" + ",".join(numbers[n : n + 6]) for n in range(0, len(numbers), 6)]
    body = "".join(f"{line}\n" for line in lines)
    return f"patchwright-diagnosis 1 {os.value}\n{body}patchwright-end {len(lines)} {checksum(body)}\n"


def a_diagnosis(
    os: OperatingSystem = OperatingSystem.WINDOWS, /, updates: Iterable[str] = (), **said: str
) -> Diagnosis:
    read = parse_diagnosis(an_answer(os, updates, **said), os)
    assert isinstance(read, Diagnosis), read
    return read


def looked_into(facts: Facts, says: Mapping[str, Diagnosis | str]) -> Facts:
    """The same facts, after machines were looked into, by id; text is the reason why one did not answer."""
    told = {id_: Unreadable(what=said) if isinstance(said, str) else said for id_, said in says.items()}
    return replace(facts, diagnoses=told)
