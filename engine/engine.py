"""The engine: its parts put together, the table of the process's activities, and the entrances for everybody else.

Each activity reads, decides or acts once, records it, and may be delivered twice. What it does is told in the module
that the table names: `sweeping`, `applying`, `second_look`, `treating`, `verifying`, `pending`, `undoing`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from engine.admission import Admission
from engine.applying import Applying
from engine.approvals import Approval, Approvals, Decision
from engine.catalogue import Catalogue
from engine.counting import Counting
from engine.journal import Journal
from engine.judging import Judging
from engine.ladder import Ladder
from engine.leases import Leases
from engine.locks import Locks
from engine.pausing import KillSwitch, Work
from engine.pending import Pending
from engine.ports import Access, Clock, Estate, Ledger, Prober, Progress, Writer, quiet
from engine.preflight import Preflight, Rights
from engine.probing import Probing
from engine.requests import SweepRequest
from engine.run_document import run_document
from engine.second_look import SecondLook
from engine.settings import Settings
from engine.surveyor import Surveyor
from engine.sweeping import Sweeping
from engine.treating import Treating
from engine.undoing import Undoing
from engine.verifying import Verifying
from model.documents import Document
from model.states import FailureState


@dataclass(slots=True, kw_only=True)
class Engine:
    """Everything that acts together, handed in by the composition root."""

    settings: Settings
    catalogue: Catalogue
    estate: Estate
    writer: Writer
    ledger: Ledger
    clock: Clock
    progress: Progress = quiet
    prober: Prober | None = None
    """Looks into machines, where that is allowed at all."""
    access: Access | None = None
    """Tells whether what the settings name can be read, where somebody asks for that."""
    rights: Rights | None = None
    """Tells what the identity that writes may do, where there is one."""
    activities: Mapping[str, Callable[[Document], Document]] = field(init=False)
    journal: Journal = field(init=False)
    switch: KillSwitch = field(init=False)
    locks: Locks = field(init=False)
    approvals: Approvals = field(init=False)
    sweeping: Sweeping = field(init=False)
    applying: Applying = field(init=False)
    undoing: Undoing = field(init=False)
    pending: Pending = field(init=False)

    def __post_init__(self) -> None:
        settings, catalogue, ladder = self.settings, self.catalogue, _ladder(self.settings)
        surveyor = Surveyor(catalogue=catalogue, estate=self.estate, progress=self.progress, ladder=ladder)
        journal = self.journal = Journal(ledger=self.ledger, clock=self.clock)
        switch = self.switch = KillSwitch(journal=journal)
        locks = self.locks = Locks(settings=settings, switch=switch)
        approvals = self.approvals = Approvals(journal=journal)
        leases = Leases(ledger=self.ledger, clock=self.clock)
        admission = Admission(settings=settings, catalogue=catalogue, journal=journal)
        judging = Judging(settings=settings, catalogue=catalogue, journal=journal, admission=admission, switch=switch)
        preflight = Preflight(rights=self.rights, remediations=catalogue.remediations, clock=self.clock)
        parts = (self.estate, self.writer, self.prober, self.rights)
        counting = Counting(journal=journal, parts=tuple(part for part in parts if part is not None))
        probing = None
        if self.prober is not None and settings.probe == "suspects":
            probing = Probing(prober=self.prober, journal=journal, most=settings.max_probes)
        self.sweeping = Sweeping(
            settings=settings,
            surveyor=surveyor,
            journal=journal,
            judging=judging,
            admission=admission,
            preflight=preflight,
            switch=switch,
            counting=counting,
            probing=probing,
        )
        self.applying = Applying(settings=settings, journal=journal, approvals=approvals)
        self.undoing = Undoing(
            preflight=preflight,
            settings=settings,
            catalogue=catalogue,
            estate=self.estate,
            journal=journal,
            progress=self.progress,
        )
        second_look = SecondLook(
            settings=settings,
            estate=self.estate,
            surveyor=surveyor,
            journal=journal,
            judging=judging,
            admission=admission,
            preflight=preflight,
            leases=leases,
            switch=switch,
            undoing=self.undoing,
            counting=counting,
        )
        treating = Treating(
            estate=self.estate,
            writer=self.writer,
            journal=journal,
            locks=locks,
            switch=switch,
            leases=leases,
            admission=admission,
            counting=counting,
        )
        verifying = Verifying(
            settings=settings,
            surveyor=surveyor,
            journal=journal,
            admission=admission,
            undoing=self.undoing,
            counting=counting,
            probing=probing,
        )
        self.pending = Pending(journal=journal, approvals=approvals, switch=switch, locks=locks)
        self.activities = {
            "survey": self.sweeping.survey,
            "open_apply": self.applying.open,
            "open_undo": counting.counted(self.undoing.open),
            "second_look": second_look.look,
            "step": treating.step,
            "settle": treating.settle,
            "next_look": self.pending.next_look,
            "take_up": self.applying.take_up,
            "verify": verifying.verify,
            "close": self.pending.close,
        }

    # A run begins, fails, is read

    def accept(self, request: SweepRequest) -> bool:
        """Write a run down before its process starts, so that it can be looked up; False where it already is."""
        return self.sweeping.accept(request)

    def accept_apply(self, run: str, attempt: str, findings: Sequence[str] | None, by: str) -> None:
        """Write down that the saved plan of a run is to be applied, before the process starts."""
        self.applying.accept(run, attempt, findings, by)

    def fail(self, run: str, reason: str) -> None:
        """The process itself broke; what was done until then is in the record."""
        self.pending.fail(run, reason)

    def reopen(self, run: str) -> None:
        """A process that could not be started is started after all."""
        self.pending.reopen(run)

    def document(self, run: str) -> Document | None:
        """The run document, or None for an unknown run."""
        return run_document(self.ledger.entries(run))

    def states(self) -> list[Document]:
        """The catalogue: every failure state with its mode, and with the pause that holds for it, if any."""
        pauses = {pause.state: pause.document for pause in self.switch.pauses()}
        whole = pauses.get("")
        return [{**entry, "paused": whole or pauses.get(str(entry["id"]))} for entry in self.catalogue.entries()]

    # What people are asked, and what they may do

    def may_write(self, state: FailureState | None = None) -> str | None:
        """Why nothing may be changed now, or None where it may. Asked again before every single write."""
        return self.locks.may_write(state)

    def may_apply(self, states: Collection[FailureState]) -> str | None:
        """Why nothing of all this can be applied now, or None where something can."""
        return self.locks.may_apply(states)

    def answer(self, id_: str, decision: Decision, *, by: str, reason: str, plan_hash: str | None = None) -> Approval:
        """A person's yes or no to a treatment that waits.

        Raises:
            UnknownApproval, NotAnswerable: as `engine.pending.Pending.answer`.
        """
        return self.pending.answer(id_, decision, by=by, reason=reason, plan_hash=plan_hash)

    def waiting(self) -> tuple[Approval, ...]:
        """Every treatment that waits for a person's answer."""
        return self.pending.questions()

    def free_to_go_on(self) -> tuple[Work, ...]:
        """What was set aside and could go on, were a person to say so."""
        return self.pending.free_to_go_on()


def _ladder(settings: Settings) -> Ladder:
    return Ladder(
        owner=settings.owner,
        owner_tag=settings.owner_tag,
        attempts=settings.attempts,
        within=settings.attempts_within,
    )
