"""A tag by which an owner keeps Patchwright off a machine."""

from __future__ import annotations

from dataclasses import dataclass

from guardrails.protocol import Situation
from guardrails.reach import machines, unseen
from model.plans import Hold, Plan, Refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class ExclusionTag:
    """Refuses a plan for a machine that carries `tag`, unless the tag's value is `false`.

    Holds where a machine is outside the inventory, so that its tags are not known.
    """

    tag: str

    def judge(self, plan: Plan, situation: Situation) -> Hold | Refuse | None:
        for id_ in sorted(machines(plan, situation.facts)):
            machine = situation.facts.machines.get(id_)
            # Azure's tag names know no case.
            tags = {name.lower(): value for name, value in machine.tags.items()} if machine else {}
            value = tags.get(self.tag.lower())
            if machine and value is not None and value.strip().lower() != "false":
                return Refuse(guardrail="exclusion-tag", reason=f"{machine.name} carries the tag {self.tag}")
        if gap := unseen(plan, situation.facts):
            return Hold(
                guardrail="exclusion-tag", reason=f"whether a machine carries the tag {self.tag} is unknown: {gap}"
            )
        return None
