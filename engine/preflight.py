"""Before a sweep acts: may the identity that writes do what the plans need? What is missing is named, with its scope.

Asked for each subscription once, and only by what acts; of a resource group only where its subscription's answer is
not enough, because a role may be given there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from engine.ports import AzureUnavailable, Clock, NotFound, PermissionMissing, RequestCount
from guardrails.reach import resources
from model.permissions import Permission, granted
from model.plans import Allow, Hold, Plan, Refuse, Treatment, Verdict
from model.resource_ids import InvalidResourceId, ResourceId
from remediations.protocol import Remediation

PREFLIGHT: Final = "preflight"
NEEDS: Final = "Microsoft.Authorization/permissions/read"
"""The action that asking takes; the writer's role has it, and it changes nothing."""
_REMEMBERED: Final = timedelta(minutes=15)
"""Azure itself takes minutes until a role that was given or taken holds everywhere."""


class Rights(Protocol):
    """What the identity that writes may do; asks Azure and changes nothing."""

    @property
    def requests(self) -> RequestCount: ...

    def granted(self, scope: str) -> tuple[Permission, ...]:
        """The permissions at a subscription or a resource group, those that it inherits included.

        Raises:
            AzureUnavailable, PermissionMissing, NotFound: it cannot be told.
        """
        ...


@dataclass(slots=True, kw_only=True)
class Preflight:
    """Compares what plans need with what the identity has."""

    rights: Rights | None
    """None where there is no identity to ask about: then nothing is compared."""
    remediations: tuple[Remediation, ...]
    clock: Clock
    _known: dict[str, tuple[datetime, tuple[Permission, ...] | str]] = field(default_factory=dict)
    """By scope: when it was asked, and the answer, or in words why there is none."""

    def checked(self, treatments: Iterable[Treatment]) -> list[Treatment]:
        """The same treatments; what is allowed and cannot be carried out for want of a right is refused."""
        return [replace(t, verdict=self._verdict(t.plan)) if isinstance(t.verdict, Allow) else t for t in treatments]

    def _verdict(self, plan: Plan) -> Verdict:
        if self.rights is None:
            return Allow()
        missing: dict[str, list[str]] = {}
        # Saving a deployment takes rights on the machine that it is about, too.
        about = {plan.finding.target} if plan.finding.target.startswith("/") else set[str]()
        for resource in sorted(resources(plan) | about):
            for action in sorted(self._needed(plan, resource)):
                match self._has(self.rights, action, resource):
                    case str() as why:
                        return Hold(guardrail=PREFLIGHT, reason=f"what the writer may do could not be read: {why}")
                    case False:
                        missing.setdefault(_scope(resource), []).append(action)
                    case True:
                        pass
        if not missing:
            return Allow()
        told = "; ".join(f"{', '.join(dict.fromkeys(actions))} on {scope}" for scope, actions in missing.items())
        return Refuse(guardrail=PREFLIGHT, reason=f"the writer's identity lacks {told}")

    def _needed(self, plan: Plan, resource: str) -> frozenset[str]:
        """The actions that the plan's remediation declares, as far as they are about such a resource.

        What is undone takes the rights of what was done.
        """
        id_ = plan.remediation.removeprefix("undo-")
        declared = next((r.permissions for r in self.remediations if r.id == id_), frozenset[str]())
        return frozenset(action for action in declared if _is_about(action, resource))

    def _has(self, rights: Rights, action: str, resource: str) -> bool | str:
        """Whether it is granted; in words why that cannot be told, where it cannot."""
        untold = ""
        for scope in _scopes(resource):
            answer = self._answer(rights, scope)
            if isinstance(answer, str):
                untold = untold or answer
            elif granted(answer, action):
                return True
        return untold or False

    def _answer(self, rights: Rights, scope: str) -> tuple[Permission, ...] | str:
        now = self.clock.now()
        asked, answer = self._known.get(scope, (now, ""))
        if scope not in self._known or now - asked > _REMEMBERED:
            try:
                answer = rights.granted(scope)
            except (AzureUnavailable, PermissionMissing, NotFound) as error:
                # Not remembered: the next plan asks again.
                return str(error)
            self._known[scope] = (now, answer)
        return answer


def _scopes(resource: str) -> tuple[str, ...]:
    """The subscription of a resource, then its resource group, where it is in one."""
    try:
        id_ = ResourceId.parse(resource)
    except InvalidResourceId:
        return ()
    subscription = f"/subscriptions/{id_.subscription}"
    return (
        (subscription, f"{subscription}/resourceGroups/{id_.resource_group}") if id_.resource_group else (subscription,)
    )


def _scope(resource: str) -> str:
    """Where a person would give the role."""
    return _scopes(resource)[-1] if _scopes(resource) else resource


def _is_about(action: str, resource: str) -> bool:
    """True unless the action is about another type of resource: of the two kinds of machines a plan has one."""
    namespace = action.partition("/")[0].lower()
    if action.lower().endswith("/register/action") and action.count("/") == 2:
        return "/providers/" not in resource.lower()
    return f"/providers/{namespace}/" in f"{resource.lower()}/"
