"""Every fix, there and back, in one simulated Azure: planned, applied, found no more by its detector, and undone; then
everything that it changed is what it was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

import composition
from engine.engine import Engine
from engine.inline import drive
from engine.process import PROCESSES
from engine.requests import SweepRequest, new_run_id
from engine.run_document import run_document
from engine.settings import Settings
from engine.undoing import UndoRequest
from model.documents import Document, at
from model.states import ActionClass
from remediations import action_classes
from simulator.estate import Estate
from simulator.serve import Simulator, running
from tests.builders import ALL_OPTED_IN
from tests.round_trip.estate import suffering, suffering_inside

LATER: Final = timedelta(days=9, hours=14)
"""In the evening, when no run is under way."""
LEFT_OUT: Final = frozenset(
    {
        # While a workspace is over its cap, the rest of its estate is unknown.
        "raise-daily-cap",
        # These come after a restart that did not help, and need what an operator names, or a look inside.
        *("clear-agent-cache", "enable-agent", "free-update-cache", "set-wsus-server", "update-signatures"),
    }
)
"""Remediations that have no case here."""
STAYS: Final = frozenset(
    {
        *("clean-package-cache", "configure-packages", "fix-dependencies", "refresh-metadata"),
        *("register-automation-provider", "resync-clock", "start-machine"),
        *("restart-agent-to-assess", "restart-silent-agent", "restart-unreachable-worker"),
    }
)
"""Remediations that leave nothing that could be put back, or nothing that should be."""
BY_SCRIPT: Final = frozenset(
    {
        *("enable-tls12", "grant-machine-keys", "grant-update-store", "rebuild-rpmdb", "reregister-worker"),
        *("reset-update-store", "reset-worker-key", "set-au-options", "set-reboot-policy", "start-update-service"),
    }
)
"""Remediations that change the inside of a machine, and are undone by another script."""
_OF_A_SCHEDULE: Final = frozenset(
    {
        *("startTime", "startTimeOffsetMinutes", "nextRun", "nextRunOffsetMinutes", "expiryTimeOffsetMinutes"),
        *("creationTime", "lastModifiedTime"),
    }
)
"""What Azure itself sets, or takes in the future only."""


@dataclass(frozen=True, kw_only=True)
class Trip:
    """What was said on the way, and what everything was like before, when it was mended, and when that was undone."""

    untreated: dict[str, Any]
    """A dry run over the same estate, in which nobody did anything for nine days."""
    fixes: dict[str, Any]
    undo: dict[str, Any]
    before: dict[str, object]
    mended: dict[str, object]
    after: dict[str, object]

    @property
    def remediation(self) -> dict[str, str]:
        """By finding, what was done about it."""
        return {str(each["finding"]): str(each["remediation"]) for each in self.fixes["plans"]}


def test_every_fix_there_and_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One journey and one test: it is the longest here, and no second process must make it again."""
    trip = made(tmp_path_factory)
    every_remediation_that_changes_something_has_a_case(trip)
    every_fix_is_verified_by_its_detector(trip)
    nothing_mends_itself(trip)
    what_can_be_put_back_is_undone_and_the_rest_says_why_not(trip)
    the_undone_object_equals_the_original(trip)


def made(tmp_path_factory: pytest.TempPathFactory) -> Trip:
    fleet = suffering()
    with running(fleet) as azure:
        azure.advance(LATER)
        untreated = swept(an_engine(azure, tmp_path_factory.mktemp("untreated")), applies=False)
    with running(fleet) as azure:
        engine, estate = an_engine(azure, tmp_path_factory.mktemp("treated")), azure.server.estate
        before = everything(estate)
        fixes = swept(engine, applies=True)
        mended = everything(estate)
        # Whoever was treated last was patched right before.
        azure.advance(timedelta(hours=12))
        undo = undone(engine, fixes["id"])
        after = everything(estate)
    return Trip(untreated=untreated, fixes=fixes, undo=undo, before=before, mended=mended, after=after)


def test_what_needs_a_second_try_an_operator_s_word_or_a_look_inside_too(tmp_path: Path) -> None:
    """The second sweep takes the next rung where the first one's did not help; both are undone, the later first."""
    with running(suffering_inside()) as azure:
        engine = an_engine(
            azure,
            tmp_path,
            PATCHWRIGHT_PROBE="suspects",
            PATCHWRIGHT_WSUS_SERVER="http://wsus.contoso.com:8530",
        )
        before = everything(azure.server.estate)
        first = swept(engine, applies=True)
        azure.advance(timedelta(hours=2))
        second = swept(engine, applies=True)
        mended = everything(azure.server.estate)
        for run in (second, first):
            azure.advance(timedelta(hours=2))
            undone(engine, run["id"])
        after = everything(azure.server.estate)

    ended = {(str(each["remediation"]), str(each["outcome"])) for run in (first, second) for each in run["outcomes"]}
    assert ended == {
        ("restart-silent-agent", "ineffective"),
        *((remediation, "remediated") for remediation in LEFT_OUT - {"raise-daily-cap"}),
    }
    assert after == before != mended


def an_engine(azure: Simulator, folder: Path, **differently: str) -> Engine:
    """Everything may be done, to everything at once."""
    return composition.build(
        Settings.from_env(
            {
                **azure.settings,
                **differently,
                "DRY_RUN": "false",
                "PATCHWRIGHT_LEDGER": f"sqlite:{folder / 'ledger.sqlite'}",
                "PATCHWRIGHT_MODES": '{"*": "act"}',
                "PATCHWRIGHT_OPT_IN": ALL_OPTED_IN,
                "PATCHWRIGHT_MAX_MACHINES": "1000",
                "PATCHWRIGHT_MAX_PERCENT": "100",
                "PATCHWRIGHT_STORM_PERCENT": "100",
                "PATCHWRIGHT_LARGEST_WAVE": "1000",
            }
        )
    )


def swept(engine: Engine, *, applies: bool) -> dict[str, Any]:
    request = SweepRequest(run=new_run_id(engine.clock.now()), trigger="cli", dry_run=not applies)
    engine.accept(request)
    return driven(engine, "sweep", request.run, request.document)


def undone(engine: Engine, run: str) -> dict[str, Any]:
    request = UndoRequest(run=new_run_id(engine.clock.now()), undoes=run, trigger="cli", dry_run=False, by="a test")
    assert engine.undoing.accept(request) == request.run
    return driven(engine, "undo", request.run, request.document)


def driven(engine: Engine, process: str, run: str, given: Document) -> dict[str, Any]:
    drive(PROCESSES[process](given), engine.activities, engine.clock)
    document = run_document(engine.ledger.entries(run))
    assert document is not None
    return document


def everything(estate: Estate) -> dict[str, object]:
    """All that a fix changes and an undo puts back, by the lower-case id of what it is a part of."""
    found: dict[str, object] = {}
    for kind, lasting in (
        ("Microsoft.Automation/automationAccounts/softwareUpdateConfigurations", of_a_deployment),
        ("Microsoft.OperationalInsights/workspaces/savedSearches", lambda document: at(document, "properties")),
    ):
        # Whatever the spelling of the type.
        for document in estate.resources.of_type(kind, kind.replace("/workspaces", "")):
            found[str(document["id"]).lower()] = lasting(document)
    for document in estate.resources.of_type("Microsoft.Compute/virtualMachines"):
        guest = estate.machines.guest(str(document["id"]))
        windows = guest.windows
        found[guest.agent] = (
            guest.key,
            guest.agent_start,
            windows.registry.content(),
            dict(windows.services),
            dict(windows.access),
            # What is stored meanwhile stays, beside what was put back under its old name.
            {name: state for name, state in windows.folders.items() if "." not in name.rsplit("\\", 1)[-1]},
            guest.linux.rpm_database,
        )
    return found


def of_a_deployment(document: Document) -> Document:
    schedule = at(document, "properties.scheduleInfo")
    assert isinstance(schedule, dict)
    return {
        "updateConfiguration": at(document, "properties.updateConfiguration"),
        "tasks": at(document, "properties.tasks"),
        "scheduleInfo": {name: value for name, value in schedule.items() if name not in _OF_A_SCHEDULE},
    }


def outcomes(document: dict[str, Any]) -> dict[str, str]:
    return {str(each["finding"]): str(each["outcome"]) for each in document["outcomes"]}


def every_remediation_that_changes_something_has_a_case(trip: Trip) -> None:
    acting = {id_ for id_, kind in action_classes().items() if kind is not ActionClass.ADVISE}
    assert set(trip.remediation.values()) == acting - LEFT_OUT


def every_fix_is_verified_by_its_detector(trip: Trip) -> None:
    """Of two clones one is mended; then the other is none any more."""
    ended = outcomes(trip.fixes)
    assert {ended[finding] for finding in trip.remediation} == {"remediated", "stale"}
    (spared,) = (finding for finding, outcome in ended.items() if outcome == "stale")
    assert spared.startswith("cloned-machine:")


def nothing_mends_itself(trip: Trip) -> None:
    """Else a verification would prove nothing. What is wrong stays wrong for as long."""
    found = {str(each["key"]) for each in trip.untreated["findings"]}
    assert trip.remediation.keys() - found == set()


def what_can_be_put_back_is_undone_and_the_rest_says_why_not(trip: Trip) -> None:
    ended = outcomes(trip.undo)
    treated = [finding for finding, outcome in outcomes(trip.fixes).items() if outcome == "remediated"]
    assert {trip.remediation[finding] for finding in treated if ended.get(finding) == "undone"} == {
        remediation for remediation in trip.remediation.values() if remediation not in STAYS
    }


def the_undone_object_equals_the_original(trip: Trip) -> None:
    """And it did not equal it in between."""
    assert trip.after == trip.before
    changed = {id_ for id_, was in trip.before.items() if trip.mended[id_] != was}
    undoable = {
        finding.partition(":")[2]
        for finding, outcome in outcomes(trip.fixes).items()
        if outcome == "remediated" and trip.remediation[finding] in BY_SCRIPT
    }
    assert undoable
    assert undoable <= changed
    assert {id_.rsplit("/", 2)[1] for id_ in changed} == {
        "savedsearches",
        "softwareupdateconfigurations",
        "virtualmachines",
    }
