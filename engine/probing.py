"""Looking inside machines: the diagnosis script goes to suspects only, seldom, and every answer is written down."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, assert_never

from engine.journal import Journal, Line
from engine.ports import Entry, ProbeAnswered, ProbeFailed, ProbePending, ProbeProgress, Prober
from model.diagnosis import Diagnosis, OperatingSystem, parse_diagnosis, read_diagnosis
from model.documents import Document, text_at
from model.facts import Facts, Machine, PowerState, Unreadable

SELDOM: Final = timedelta(minutes=15)
"""A machine that was looked into is left alone for as long, whoever asks."""
_GIVE_UP: Final = timedelta(minutes=15)
"""The script has ten minutes, and Azure some more to say how it ended."""
_LOOK_AGAIN: Final = timedelta(seconds=15)
_TRY_AGAIN: Final = timedelta(minutes=3)
_KINDS: Final = frozenset({"probing", "probed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Probing:
    """The probes of one app. A run asks once, waits, and goes on with what came; a verification asks anew.

    Each time of asking is a `look`: empty for the survey, for a verification the ledger's line that it is due by. A
    look that is delivered twice finds its own lines, and sends nothing twice.
    """

    prober: Prober
    journal: Journal
    most: int
    """Machines that one run may look into."""

    def asked(self, run: str) -> bool:
        """True where this run has chosen its suspects already."""
        return bool(self.journal.ledger.entries(run, kinds=frozenset({"probes"})))

    def begin(self, run: str, suspects: Iterable[str], facts: Facts, *, first: Collection[str] = frozenset()) -> None:
        """Choose, claim and send, to the suspects among `first` before all others.

        What cannot be looked into now is written down as unreadable.
        """
        heard = diagnoses(self.journal, run)
        known = [id_ for id_ in suspects if id_ in facts.machines and id_ not in heard]
        # In an order of each run's own: where they are more than it may look into, every one has its turn some night.
        chosen = sorted(known, key=lambda id_: (id_ not in first, probe_name(run, id_)))
        looked = 0
        for id_ in chosen:
            machine = facts.machines[id_]
            if reason := _unfit(machine):
                _conclude(self.journal, run, id_, "", {"unreadable": reason})
            elif looked >= self.most:
                reason = f"{self.most} machines were looked into, and this run may look into no more"
                _conclude(self.journal, run, id_, "", {"unreadable": reason})
            elif (holder := self._claim(run, id_, "")) is not None:
                self._borrow(run, id_, holder)
            else:
                looked += 1
                self._send(run, machine, "")
        self.journal.record(run, Line("probes", "probes", {"suspects": len(chosen)}))

    def wait(self, run: str) -> timedelta | None:
        """Look at what is under way; how long until the next look, or None where nothing is."""
        entries = self.journal.ledger.entries(run, kinds=_KINDS)
        heard = {entry.id for entry in entries if entry.kind == "probed"}
        asked = [entry for entry in entries if entry.kind == "probing"]
        open_ones = [entry for entry in asked if _answer_id(entry.about, text_at(entry.body, "look")) not in heard]
        waiting = [entry for entry in open_ones if not self._check(run, entry)]
        return _LOOK_AGAIN if waiting else None

    def again(self, run: str, looks: Mapping[str, str], facts: Facts) -> timedelta:
        """Look into machines anew, each for the look that is its value; how long until the answers may be here.

        Where a machine was looked into a moment ago, this waits until it may be again: an answer from before the repair
        would tell nothing.
        """
        busy = False
        for id_, look in looks.items():
            known = self.journal.ledger.entries(run, about=id_, kinds=_KINDS)
            if any(entry.id in {_question_id(id_, look), _answer_id(id_, look)} for entry in known):
                continue
            machine = facts.machines[id_]
            if reason := _unfit(machine):
                _conclude(self.journal, run, id_, look, {"unreadable": reason})
            elif self._claim(run, id_, look) is None:
                self._send(run, machine, look)
            else:
                busy = True
        return _TRY_AGAIN if busy else _LOOK_AGAIN

    def _claim(self, run: str, machine: str, look: str) -> str | None:
        """Take the machine for a quarter of an hour; the run that has it, where that is not this look."""
        now, holder = self.journal.clock.now(), f"{run} {look}".strip()
        found = self.journal.ledger.claim(f"probe:{machine}", holder, now, now + SELDOM)
        return None if found == holder else found.partition(" ")[0]

    def _send(self, run: str, machine: Machine, look: str) -> None:
        # Before it is sent: whoever finds this line looks for the answer, and does not send again.
        name = probe_name(f"{run} {look}".strip(), machine.id)
        body: Document = {"arm": machine.arm_id, "os": machine.os.lower(), "name": name, "look": look}
        line = Line(_question_id(machine.id, look), "probing", body, machine.id)
        if self.journal.record(run, line)[0]:
            self._heard(run, machine.id, body, self.prober.begin(machine, name))

    def _check(self, run: str, asked: Entry) -> bool:
        late = self.journal.clock.now() - asked.at > _GIVE_UP
        progress = self.prober.check(text_at(asked.body, "arm"), text_at(asked.body, "name"), last=late)
        if late and isinstance(progress, ProbePending):
            progress = ProbeFailed(reason="the diagnosis did not answer in time")
        return self._heard(run, asked.about, asked.body, progress)

    def _borrow(self, run: str, machine: str, holder: str) -> None:
        """Another run looked into the machine a moment ago: its answer is this one's, too."""
        theirs = self.journal.ledger.entries(holder, about=machine, kinds=frozenset({"probed"}))
        body: Document = {"unreadable": f"run {holder} looked into it less than {SELDOM.seconds // 60} minutes ago"}
        _conclude(self.journal, run, machine, "", theirs[-1].body if theirs else body)

    def _heard(self, run: str, machine: str, asked: Document, progress: ProbeProgress) -> bool:
        look = text_at(asked, "look")
        match progress:
            case ProbePending():
                return False
            case ProbeAnswered():
                _conclude(self.journal, run, machine, look, {"os": text_at(asked, "os"), "text": progress.text})
            case ProbeFailed():
                _conclude(self.journal, run, machine, look, {"unreadable": progress.reason})
            case _:
                assert_never(progress)
        return True


def diagnoses(journal: Journal, run: str, looks: Mapping[str, str] | None = None) -> dict[str, Diagnosis | Unreadable]:
    """What the machines of a run said, by lower-case resource id: in the survey, or in these looks."""
    entries = journal.ledger.entries(run, kinds=frozenset({"probed"}))
    wanted = {_answer_id(id_, look) for id_, look in looks.items()} if looks is not None else None
    return {
        entry.about: _read(entry.body)
        for entry in entries
        if (entry.id == _answer_id(entry.about, "") if wanted is None else entry.id in wanted)
    }


def hand_in(journal: Journal, run: str, kept: Mapping[str, str]) -> None:
    """Take what somebody kept of diagnoses, by machine, for what the machines say: they are not looked into then."""
    for id_, text in kept.items():
        _conclude(journal, run, id_.lower(), "", {"text": text})


def _conclude(journal: Journal, run: str, machine: str, look: str, body: Mapping[str, object]) -> None:
    said: Document = {key: value for key, value in body.items() if isinstance(value, str)}
    journal.record(run, Line(_answer_id(machine, look), "probed", said, machine))


def look_of(line: str) -> str:
    """The name of the look that is due by a line of the ledger."""
    return hashlib.sha256(line.encode()).hexdigest()[:12]


def probe_name(asking: str, machine: str) -> str:
    """The same whenever the same asks the same machine; Arc takes no more than 36 letters."""
    return f"patchwright-probe-{hashlib.sha256(f'{asking} {machine}'.encode()).hexdigest()[:16]}"


def _unfit(machine: Machine) -> str:
    if machine.os.lower() not in set(OperatingSystem):
        return "its operating system is not known"
    if not machine.is_arc and machine.power is not PowerState.RUNNING:
        return "it is not running"
    return ""


def _question_id(machine: str, look: str) -> str:
    return f"probing:{machine}:{look}"


def _answer_id(machine: str, look: str) -> str:
    return f"probed:{machine}:{look}"


def _read(body: Document) -> Diagnosis | Unreadable:
    if text := text_at(body, "text"):
        os = text_at(body, "os")
        return parse_diagnosis(text, OperatingSystem(os)) if os else read_diagnosis(text)
    return Unreadable(what=text_at(body, "unreadable") or "the diagnosis printed nothing")
