"""Which findings a request is about."""

from __future__ import annotations

from model.facts import Facts


def selects(machines: tuple[str, ...] | None, target: str, facts: Facts) -> bool:
    """True where the selection names the target, something that encloses it, or a machine that the target patches.

    The account and the workspace enclose the whole estate. None selects everything; an empty selection nothing. A
    name narrows what is looked at and decides nothing: it selects every machine that bears it.
    """
    if machines is None:
        return True
    touched = {target}
    if deployment := facts.deployments.get(target):
        touched |= set(deployment.azure_machines)
    names = {machine.name.lower() for id_ in touched if (machine := facts.machines.get(id_))}
    if deployment:
        names |= {computer.split(".", 1)[0].lower() for computer in deployment.computer_names}
    return any(
        wanted in {facts.account, facts.workspace}
        or (wanted.startswith("name:") and wanted.removeprefix("name:").split(".")[0] in names)
        or any(id_ == wanted or id_.startswith(f"{wanted}/") for id_ in touched)
        for wanted in machines
    )
