"""A tag by which an owner keeps Patchwright off a machine."""

from __future__ import annotations

from dataclasses import dataclass

from guardrails.protocol import Situation
from guardrails.reach import machines
from model.plans import Plan, Refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class ExclusionTag:
    """Refuses a plan for a machine that carries `tag`, unless the tag's value is `false`."""

    tag: str

    def judge(self, plan: Plan, situation: Situation) -> Refuse | None:
        for id_ in sorted(machines(plan, situation.facts)):
            machine = situation.facts.machines.get(id_)
            # Azure's tag names know no case.
            tags = {name.lower(): value for name, value in machine.tags.items()} if machine else {}
            value = tags.get(self.tag.lower())
            if machine and value is not None and value.strip().lower() != "false":
                return Refuse(guardrail="exclusion-tag", reason=f"{machine.name} carries the tag {self.tag}")
        return None
