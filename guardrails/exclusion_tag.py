"""A tag by which an owner keeps Patchwright off a machine, or off all that lies in a resource group or subscription."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from guardrails.protocol import Situation
from guardrails.reach import resources
from model.facts import Facts, Reading, containers_of
from model.plans import Hold, Plan, Refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class ExclusionTag:
    """Refuses a plan for what carries `tag`, unless the tag's value is `false`.

    It may be on a machine that the plan reaches, or on the resource group or subscription of anything that it reaches
    or changes; the nearest one counts, so that a machine with `false` is taken out of its group's exclusion. Holds
    where tags are not known.
    """

    tag: str

    def judge(self, plan: Plan, situation: Situation) -> Hold | Refuse | None:
        facts, reach = situation.facts, situation.reach_of(plan)
        touched = sorted(reach.machines | resources(plan))
        for id_ in touched:
            if carrier := self._carrier(id_, facts):
                return Refuse(guardrail="exclusion-tag", reason=f"{carrier} carries the tag {self.tag}")
        if reach.unseen:
            reason = f"whether a machine carries the tag {self.tag} is unknown: {reach.unseen}"
            return Hold(guardrail="exclusion-tag", reason=reason)
        if touched and (missing := facts.missing(Reading.CONTAINERS)):
            return Hold(
                guardrail="exclusion-tag",
                reason=f"whether a group or subscription carries the tag {self.tag} is unknown: {missing.what}",
            )
        return None

    def _carrier(self, id_: str, facts: Facts) -> str | None:
        """What keeps a resource out: itself, its resource group or its subscription; None where the nearest allows."""
        for name, tags in tagged(id_, facts):
            # Azure's tag names know no case.
            value = {key.lower(): value for key, value in tags.items()}.get(self.tag.lower())
            if value is not None:
                return None if value.strip().lower() == "false" else name
        return None


def tagged(id_: str, facts: Facts) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Names and tags of a resource and of what it lies in, from the inside out, as far as they were read."""
    if machine := facts.machines.get(id_):
        yield machine.name, machine.tags
    for container in containers_of(id_):
        if found := facts.containers.get(container):
            kind = "the resource group" if "/resourcegroups/" in container else "the subscription"
            yield f"{kind} {found.name}", found.tags
