"""Looking inside machines: the diagnosis script goes to suspects only, seldom, and every answer is written down."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, assert_never

from engine.journal import Journal, Line
from engine.ports import ProbeAnswered, ProbeFailed, ProbePending, ProbeProgress, Prober
from model.diagnosis import Diagnosis, OperatingSystem, parse_diagnosis
from model.documents import Document, text_at
from model.facts import Facts, Machine, PowerState, Unreadable

SELDOM: Final = timedelta(minutes=15)
"""A machine that was looked into is left alone for as long, whoever asks."""
_GIVE_UP: Final = timedelta(minutes=15)
"""The script has ten minutes, and Azure some more to say how it ended."""
_LOOK_AGAIN: Final = timedelta(seconds=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probing:
    """The probes of one app. A run asks once, waits, and goes on with what came."""

    prober: Prober
    journal: Journal
    most: int
    """Machines that one run may look into."""

    def asked(self, run: str) -> bool:
        """True where this run has chosen its suspects already."""
        return bool(self.journal.ledger.entries(run, kinds=frozenset({"probes"})))

    def begin(self, run: str, suspects: Iterable[str], facts: Facts) -> None:
        """Choose, claim and send. What cannot be looked into now is written down as unreadable."""
        machines = [facts.machines[id_] for id_ in sorted(suspects) if id_ in facts.machines]
        for number, machine in enumerate(machines):
            if reason := self._unfit(machine, number):
                self._conclude(run, machine.id, {"unreadable": reason})
                continue
            now = self.journal.clock.now()
            holder = self.journal.ledger.claim(f"probe:{machine.id}", run, now, now + SELDOM)
            if holder != run:
                self._borrow(run, machine.id, holder)
                continue
            # Before it is sent: whoever finds this line looks for the answer, and does not send again.
            name = probe_name(run, machine.id)
            body: Document = {"arm": machine.arm_id, "os": machine.os.lower(), "name": name}
            if self.journal.record(run, Line(f"probing:{machine.id}", "probing", body, machine.id))[0]:
                self._heard(run, machine.id, self.prober.begin(machine, name))
        self.journal.record(run, Line("probes", "probes", {"suspects": len(machines)}))

    def wait(self, run: str) -> timedelta | None:
        """Look at what is under way; how long until the next look, or None where nothing is."""
        entries = self.journal.ledger.entries(run, kinds=frozenset({"probing", "probed"}))
        heard = {entry.about for entry in entries if entry.kind == "probed"}
        open_ones = [entry for entry in entries if entry.kind == "probing" and entry.about not in heard]
        for entry in open_ones:
            late = self.journal.clock.now() - entry.at > _GIVE_UP
            progress = self.prober.check(text_at(entry.body, "arm"), text_at(entry.body, "name"))
            if isinstance(progress, ProbePending) and late:
                progress = ProbeFailed(reason="the diagnosis did not answer in time")
            if self._heard(run, entry.about, progress):
                heard.add(entry.about)
        return _LOOK_AGAIN if any(entry.about not in heard for entry in open_ones) else None

    def diagnoses(self, run: str) -> dict[str, Diagnosis | Unreadable]:
        """What the machines of this run said, by lower-case resource id."""
        entries = self.journal.ledger.entries(run, kinds=frozenset({"probed"}))
        return {entry.about: _read(entry.body) for entry in entries}

    def _unfit(self, machine: Machine, number: int) -> str:
        if number >= self.most:
            return f"{self.most} machines were looked into, and this run may look into no more"
        if machine.os.lower() not in set(OperatingSystem):
            return "its operating system is not known"
        if not machine.is_arc and machine.power is not PowerState.RUNNING:
            return "it is not running"
        return ""

    def _borrow(self, run: str, machine: str, holder: str) -> None:
        """Another run looked into the machine a moment ago: its answer is this one's, too."""
        theirs = self.journal.ledger.entries(holder, about=machine, kinds=frozenset({"probed"}))
        body: Document = {"unreadable": f"run {holder} looked into it less than {SELDOM.seconds // 60} minutes ago"}
        self._conclude(run, machine, theirs[0].body if theirs else body)

    def _heard(self, run: str, machine: str, progress: ProbeProgress) -> bool:
        match progress:
            case ProbePending():
                return False
            case ProbeAnswered():
                (asked,) = self.journal.ledger.entries(run, about=machine, kinds=frozenset({"probing"}))
                self._conclude(run, machine, {"os": text_at(asked.body, "os"), "text": progress.text})
            case ProbeFailed():
                self._conclude(run, machine, {"unreadable": progress.reason})
            case _:
                assert_never(progress)
        return True

    def _conclude(self, run: str, machine: str, body: Mapping[str, object]) -> None:
        said: Document = {key: value for key, value in body.items() if isinstance(value, str)}
        self.journal.record(run, Line(f"probed:{machine}", "probed", said, machine))


def probe_name(run: str, machine: str) -> str:
    """The same whenever this run looks into this machine; Arc takes no more than 36 letters."""
    return f"patchwright-probe-{hashlib.sha256(f'{run} {machine}'.encode()).hexdigest()[:16]}"


def _read(body: Document) -> Diagnosis | Unreadable:
    if text := text_at(body, "text"):
        return parse_diagnosis(text, OperatingSystem(text_at(body, "os")))
    return Unreadable(what=text_at(body, "unreadable") or "the diagnosis printed nothing")
