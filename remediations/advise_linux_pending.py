"""Advice for security updates that stay pending on Linux after a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from model.facts import Facts
from model.findings import Finding
from model.states import FailureState
from remediations.advice import AdviceOnly, listed

_APT: Final = (
    "grep -h security /etc/apt/sources.list /etc/apt/sources.list.d/*.list > /tmp/security.list && "
    "apt-get -s dist-upgrade -oDir::Etc::Sourcelist=/tmp/security.list -oDir::Etc::Sourceparts=- | grep -c ^Inst"
)
_ZYPPER: Final = "LANG=en_US.UTF8 zypper --non-interactive patch --category security --dry-run"
_YUM: Final = "sudo yum -q --security check-update"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseLinuxPending(AdviceOnly):
    """Say which machines differ, and with which command each tells what a security-only run would install.

    Effect: none.
    Declined: always. Azure assesses by the distributor's advisories and the run installs by the package manager's own
    classification; which of the two should decide is a person's choice.
    Verified: the updates are installed, or the deployment includes Other.
    Undo: nothing was changed.
    """

    id: ClassVar[str] = "advise-linux-pending"
    fixes: ClassVar[FailureState] = FailureState.LINUX_PENDING_VS_INSTALLED_DIFFER

    def advise(self, finding: Finding, facts: Facts) -> tuple[str, ...]:
        suspects = finding.evidence.get("machines")
        machines = [one for one in suspects if isinstance(one, dict)] if isinstance(suspects, list) else []
        by_command: dict[str, list[str]] = {}
        for one in machines:
            machine = facts.machines.get(str(one.get("machine")))
            name = machine.name if machine else str(one.get("machine"))
            said = f"{name} ({one.get('packages')} pending, such as {one.get('example')})"
            by_command.setdefault(command(str(one.get("os") or "")), []).append(said)
        steps = [f"On {listed(names)}, what a security-only run installs: {text}" for text, names in by_command.items()]
        steps.append(
            f"To install the rest too, select Other in {finding.name}, or name the packages in its included packages; "
            "assessment goes by the distributor's advisories, installation by the package manager."
        )
        return finding.reason, *steps


def command(os_name: str) -> str:
    """The read-only command of the distribution's package manager."""
    name = os_name.lower()
    if any(word in name for word in ("ubuntu", "debian")):
        return _APT
    if any(word in name for word in ("suse", "sles")):
        return _ZYPPER
    return _YUM
