"""What a person has to do about updates that are not approved, not declined, not installed or not found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from model.documents import text_at
from model.facts import Facts
from model.findings import Finding
from model.states import FailureState
from remediations.advice import AdviceOnly, listed, texts


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseMachinesDontInstall(AdviceOnly):
    """Find out on the machine whether it can install at all.

    Effect: none.
    Declined: always, with the updates, the deployments and the commands.
    """

    id: ClassVar[str] = "advise-machines-dont-install"
    fixes: ClassVar[FailureState] = FailureState.MACHINES_DONT_INSTALL

    def advise(self, finding: Finding, facts: Facts) -> tuple[str, ...]:
        kbs = listed(_kb(kb) for kb in texts(finding.evidence.get("updates"))) or "what it needs"
        return (
            f"nothing says why it does not install {kbs}; that shows on the machine only",
            f"Install {kbs} on {finding.name} by hand. Where that fails, too, its error code says what to mend.",
            f"Look in %WinDir%\\WindowsUpdate.log of {finding.name} (Server 2016 and later: Get-WindowsUpdateLog).",
            (
                f"Where it succeeds by hand, the agent is at fault: remove it from {finding.name} and install it "
                "again. That agent and this service were retired on 31 August 2024: consider moving the machine to "
                "Azure Update Manager instead."
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseUpdatesAvailableNotShown(AdviceOnly):
    """Approve updates on the WSUS server, or leave them unapproved knowingly.

    Effect: none; approving is the server owner's decision.
    Declined: always, with the updates, their age and how many machines need each.
    """

    id: ClassVar[str] = "advise-updates-available-not-shown"
    fixes: ClassVar[FailureState] = FailureState.UPDATES_AVAILABLE_NOT_SHOWN

    def advise(self, finding: Finding, facts: Facts) -> tuple[str, ...]:
        updates = finding.evidence.get("updates")
        lines = [
            f"Approve or decline {_kb(text_at(one, 'kb'))} ({text_at(one, 'title')}): {one.get('machines')} machines "
            f"need it, published {one.get('ageInDays')} days ago."
            for one in (updates if isinstance(updates, list) else [])
            if isinstance(one, dict)
        ]
        server = str(finding.evidence.get("server") or "the WSUS server or Configuration Manager")
        return (
            f"approving {len(lines)} updates on {server} is its owner's decision",
            *lines[:20],
            f"The machines: {listed(_names(finding), 20)} ({finding.evidence.get('machineCount')}).",
            "They see an approval at their next scan, within twelve hours.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseSupersededShownMissing(AdviceOnly):
    """Decline superseded updates on the WSUS server.

    Effect: none; declining is the server owner's decision.
    Declined: always, with the updates and the machines.
    """

    id: ClassVar[str] = "advise-superseded-shown-missing"
    fixes: ClassVar[FailureState] = FailureState.SUPERSEDED_SHOWN_MISSING

    def advise(self, finding: Finding, facts: Facts) -> tuple[str, ...]:
        kbs = listed(_kb(kb) for kb in texts(finding.evidence.get("updates")))
        by = listed(_kb(kb) for kb in texts(finding.evidence.get("supersededBy")))
        server = str(finding.evidence.get("server") or "the WSUS server")
        names = listed(_names(finding), 20)
        return (
            f"{by} replaced {kbs}, which {server} still offers until somebody declines it there",
            f"On {server}, decline {kbs}.",
            f"Let {names} scan again (`UsoClient StartScan`, before Server 2016 `wuauclt /detectnow`).",
            f"Run the WSUS cleanup wizard on {server}, every month.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseInstalledButNotFound(AdviceOnly):
    """Explain which later update holds the one that is not listed.

    Effect: none; nothing is broken.
    Declined: always, with the updates.
    """

    id: ClassVar[str] = "advise-installed-but-not-found"
    fixes: ClassVar[FailureState] = FailureState.INSTALLED_BUT_NOT_FOUND

    def advise(self, finding: Finding, facts: Facts) -> tuple[str, ...]:
        kbs = listed(_kb(kb) for kb in texts(finding.evidence.get("updates"))) or "the updates"
        return (
            f"later updates replaced {kbs} and hold all that was in there: nothing is broken",
            f"Look for a later cumulative update on {finding.name}: `Get-HotFix | Sort-Object InstalledOn`.",
        )


def _kb(number: str) -> str:
    return f"KB{number.upper().removeprefix('KB')}"


def _names(finding: Finding) -> list[str]:
    return [target.rsplit("/", 1)[-1].removeprefix("name:") for target in texts(finding.evidence.get("machines"))]
