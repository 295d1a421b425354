"""P4: a deployment selects Linux packages by classifications that the machines' package manager does not have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

from detectors.log_machines import MOST_LISTED
from detectors.protocol import unreadable
from model.facts import Deployment, Facts, Reading
from model.findings import Detection, Finding, Unknown
from model.runs import runs_again
from model.states import FailureState

ALL: Final = frozenset({"critical", "security", "other"})
_WITHOUT_OVAL: Final = ("usgov", "usdod", "china")
"""How the regions begin of the clouds in which Azure has no classifications of Linux packages at all."""


@dataclass(frozen=True, slots=True)
class _Targets:
    """Whom a deployment names, as far as classifications go."""

    centos: tuple[str, ...]
    """Machines with CentOS: names for people."""
    sovereign: tuple[str, ...]
    """Linux machines in a cloud without classifications."""
    others: int
    """How many that it names are neither."""
    in_scope: bool
    """True where a dynamic query of it may select a machine with CentOS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinuxClassificationCaveat:
    """A deployment installs some classifications only, on machines that cannot tell packages apart by them.

    Looks like: runs succeed and install little or nothing; updates shown as security updates stay.
    Evidence: the deployment leaves out one of Critical, Security and Other, and names a machine whose newest beat says
    CentOS, or a Linux machine in a region of the US Government or China clouds.
    Healthy: it includes all three, or selects by name alone; it will not run again; it is for Windows.
    Unknown: only a dynamic query of it may select such a machine; whether it will run again could not be read.
    Source: troubleshooting article, "Linux patch classification differs" (P4).
    """

    finds: ClassVar[FailureState] = FailureState.LINUX_CLASSIFICATION_CAVEAT
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.MACHINES, Reading.DEPLOYMENTS})
    queries: ClassVar[frozenset[str]] = frozenset({"linux-distributions"})

    def suspects(self, facts: Facts) -> frozenset[str]:
        """Deployments that leave a classification out and name such a machine: their schedules have to be read."""
        return frozenset(deployment.id for deployment, _ in _partial(facts))

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unreadable(self, facts):
            yield gap
            return
        for deployment, targets in _partial(facts):
            if unread := facts.missing(deployment.id):
                yield Unknown(state=self.finds, target=deployment.id, missing=unread.what)
                continue
            document = facts.documents.get(deployment.id)
            coming = runs_again(document, facts.now) if document is not None else False
            if coming is False:
                continue
            if coming is None:
                yield Unknown(
                    state=self.finds, target=deployment.id, missing=f"whether {deployment.name} will run again"
                )
            elif targets.centos or targets.sovereign:
                yield self._finding(deployment, targets)
            else:
                yield Unknown(
                    state=self.finds,
                    target=deployment.id,
                    missing=f"whether the dynamic query of {deployment.name} selects a machine with CentOS",
                )

    def _finding(self, deployment: Deployment, targets: _Targets) -> Finding:
        has = deployment.package_classifications or frozenset()
        machines = sorted({*targets.centos, *targets.sovereign})
        why = "CentOS" if targets.centos else "a cloud without classifications of Linux packages"
        return Finding(
            state=self.finds,
            target=deployment.id,
            name=deployment.name,
            reason=(
                f"does not select {', '.join(sorted(one.capitalize() for one in ALL - has))}, and of its machines "
                f"these have {why}: "
                f"{', '.join(machines[:3])}{f' and {len(machines) - 3} more' if len(machines) > 3 else ''}"
            ),
            evidence={
                "classifications": [*sorted(has)],
                "missing": [*sorted(ALL - has)],
                "machines": [*machines[:MOST_LISTED]],
                "machineCount": len(machines),
                "centos": [*sorted(targets.centos)[:MOST_LISTED]],
                "others": targets.others,
                "dynamic": bool(deployment.query_scopes),
            },
        )


def _partial(facts: Facts) -> Iterator[tuple[Deployment, _Targets]]:
    """Linux deployments that leave a classification out, and may patch a machine that has none."""
    rows = facts.rows.get("linux-distributions", ())
    ids = {str(row.get("MachineId")) for row in rows} & facts.machines.keys()
    computers = {str(row.get("Computer")).lower() for row in rows if row.get("Computer")}
    for deployment in facts.deployments.values():
        has = deployment.package_classifications
        if deployment.operating_system != "Linux" or not has or has >= ALL:
            continue
        targets = _targets(deployment, facts, ids, computers)
        if targets.centos or targets.sovereign or targets.in_scope:
            yield deployment, targets


def _targets(deployment: Deployment, facts: Facts, centos_ids: set[str], centos_names: set[str]) -> _Targets:
    centos: list[str] = []
    sovereign: list[str] = []
    others = 0
    for id_ in deployment.azure_machines:
        machine = facts.machines.get(id_)
        if machine is None:
            # It is gone; other states look after it.
            others += 1
        elif id_ in centos_ids:
            centos.append(machine.name)
        elif machine.location.lower().startswith(_WITHOUT_OVAL):
            sovereign.append(machine.name)
        else:
            others += 1
    for name in deployment.computer_names:
        # The deployment itself knows the machine by nothing but this name.
        if name.lower() in centos_names:
            centos.append(name)
        else:
            others += 1
    in_scope = any(
        f"{id_}/".startswith(f"{scope.rstrip('/')}/") for scope in deployment.query_scopes for id_ in centos_ids
    )
    return _Targets(centos=tuple(centos), sovereign=tuple(sovereign), others=others, in_scope=in_scope)
