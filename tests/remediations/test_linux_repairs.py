"""Repairs of Linux machines after a failed run: one script a cause, evidence first, and advice for all else."""

from __future__ import annotations

import copy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.linux_failures import linux_failures
from detectors.linux_run_failed import LinuxRunFailed
from model.deployments import same_deployment
from model.documents import at, text_at
from model.facts import Facts, JobOutput, Machine, PowerState
from model.findings import Finding
from model.plans import Declined, Plan, PutDeployment, RunScript
from model.states import FailureState
from remediations.advise_linux_run_failed import AdviseLinuxRunFailed
from remediations.clean_package_cache import CleanPackageCache
from remediations.configure_packages import ConfigurePackages
from remediations.exclude_package import ExcludePackage
from remediations.fix_dependencies import FixDependencies
from remediations.protocol import Remediation
from remediations.rebuild_rpmdb import RebuildRpmdb
from remediations.refresh_metadata import RefreshMetadata
from tests.builders import HOUR, MINUTE, NOW, a_body, a_machine, a_machine_run, a_run, an_instance_view, facts

LIN = a_machine("lin-01", os="Linux")
SCRIPTS = Path(__file__).parents[2] / "remediations" / "scripts"
REPAIRS: tuple[Remediation, ...] = (
    CleanPackageCache(),
    RefreshMetadata(),
    ConfigurePackages(),
    FixDependencies(),
    RebuildRpmdb(),
)
EVERY: tuple[Remediation, ...] = (AdviseLinuxRunFailed(), *REPAIRS, ExcludePackage())
SAID = {
    "clean-package-cache": "No space left on device",
    "refresh-metadata": "Hash Sum mismatch",
    "configure-packages": "dpkg was interrupted, you must manually run 'sudo dpkg --configure -a'",
    "fix-dependencies": "The following packages have unmet dependencies",
    "rebuild-rpmdb": "error: rpmdb open failed",
}


def world(output: str = "", *, machine: Machine = LIN, agent: str | None = None, **more: Any) -> Facts:
    part = a_machine_run(machine, status="Failed", os="Linux", job="job-1")
    view = an_instance_view(machine, agent=agent or "ProvisioningState/succeeded")
    body = {"machines": [machine], "classes": "Critical, Security"} | more.pop("body", {})
    read: dict[str, Any] = {
        "machines": [machine],
        "bodies": [a_body(**body)],
        "runs": [a_run(status="Failed")],
        "machine_runs": [part],
        "job_outputs": {part.id: JobOutput(text=output)},
        "rows": {"linux-failed-packages": []},
        "views": [view],
    }
    return facts(**(read | more))


def found(world: Facts) -> Finding:
    (finding,) = LinuxRunFailed().detect(world)
    assert isinstance(finding, Finding)
    return finding


def packages(*names: str) -> dict[str, Any]:
    rows = [{"MachineId": LIN.id, "RunId": run, "Package": n} for n in names for run in ("run-0", "run-1")]
    return {"rows": {"linux-failed-packages": rows}}


@pytest.mark.parametrize("repair", REPAIRS, ids=lambda repair: repair.id)
def test_each_cause_has_its_script_and_evidence_is_kept(repair: Remediation) -> None:
    facts = world(SAID[repair.id])

    plan = repair.plan(found(facts), facts)

    assert isinstance(plan, Plan)
    scripts = [step.script for step in plan.steps if isinstance(step, RunScript)]
    wanted = ["linux/collect-worker-log.sh", f"linux/{repair.id}.sh"]
    # On a full disk there is no room for the evidence before the repair.
    assert scripts == (wanted[::-1] if repair.id == "clean-package-cache" else wanted)
    assert all((SCRIPTS / script).is_file() for script in scripts)
    assert len(plan.steps) == 2


@pytest.mark.parametrize("repair", REPAIRS, ids=lambda repair: repair.id)
def test_no_other_repair_has_a_plan_for_it(repair: Remediation) -> None:
    facts = world(SAID[repair.id])
    finding = found(facts)

    planned = [r.id for r in EVERY if isinstance(r.plan(finding, facts), Plan)]

    assert planned == [repair.id]


@pytest.mark.parametrize("row", linux_failures(), ids=lambda row: row.id)
def test_every_cause_ends_in_one_plan_or_in_advice_that_names_the_machine(row: Any) -> None:
    facts = world()
    evidence = {
        **found(facts).evidence,
        "cause": row.id,
        "action": row.action,
        "means": row.means.replace("{machine}", "lin-01"),
        "advice": [text.replace("{machine}", "lin-01") for text in row.advice],
        "line": "what it said",
    }
    finding = Finding(
        state=FailureState.LINUX_RUN_FAILED, target=LIN.id, name="lin-01", reason="failed", evidence=evidence
    )

    answers = [remediation.plan(finding, facts) for remediation in EVERY]

    assert sum(isinstance(answer, Plan) for answer in answers) == (row.action != "none")
    advice = answers[0]
    assert isinstance(advice, Declined)
    assert "lin-01" in advice.advice.summary
    assert "It said: what it said" in advice.advice.steps


@pytest.mark.parametrize(
    ("machine", "agent", "why"),
    [
        (a_machine("lin-01", os="Linux", power=PowerState.DEALLOCATED), None, "deallocated"),
        (a_machine("lin-01", os="Linux", power=PowerState.UNKNOWN), None, "unknown"),
        (LIN, "ProvisioningState/failed", "guest agent"),
    ],
)
def test_where_no_script_can_be_sent_a_person_gets_the_command(machine: Machine, agent: str | None, why: str) -> None:
    facts = world(SAID["configure-packages"], machine=machine, agent=agent)

    answers = [r.plan(found(facts), facts) for r in EVERY]

    assert all(isinstance(answer, Declined) for answer in answers)
    first = answers[0]
    assert isinstance(first, Declined)
    assert why in first.reason
    assert any("--configure -a" in step for step in first.advice.steps)


def test_a_machine_that_could_not_be_read_is_not_touched() -> None:
    facts = world(SAID["refresh-metadata"], views=[], unreadable={LIN.id: "503"})

    answer = RefreshMetadata().plan(found(facts), facts)

    assert isinstance(answer, Declined)
    assert "503" in answer.reason


def test_an_arc_machine_is_mended_too() -> None:
    arc = a_machine("lin-01", os="Linux", is_arc=True)
    facts = world(SAID["refresh-metadata"], machine=arc, views=[{"id": arc.arm_id}])

    assert isinstance(RefreshMetadata().plan(found(facts), facts), Plan)


def test_the_same_failure_gives_the_same_step_and_another_run_another_one() -> None:
    def step_id(facts: Facts) -> str:
        plan = RefreshMetadata().plan(found(facts), facts)
        assert isinstance(plan, Plan)
        step = plan.steps[0]
        assert isinstance(step, RunScript)
        return step.parameters["StepId"]

    later = a_machine_run(LIN, run="run-2", status="Failed", os="Linux")
    again = world(
        runs=[a_run("run-2", status="Failed")],
        machine_runs=[later],
        job_outputs={later.id: JobOutput(text=SAID["refresh-metadata"])},
    )
    assert step_id(world(SAID["refresh-metadata"])) == step_id(world(SAID["refresh-metadata"]))
    assert step_id(again) != step_id(world(SAID["refresh-metadata"]))


def test_it_is_looked_at_again_after_the_next_run_has_ended() -> None:
    facts = world(SAID["refresh-metadata"], body={"next_run": NOW + 5 * HOUR, "duration": 2 * HOUR})
    plan = RefreshMetadata().plan(found(facts), facts)

    assert isinstance(plan, Plan)
    assert plan.settle.due(NOW) == NOW + 5 * HOUR + 2 * HOUR + timedelta(minutes=30)


def test_only_the_rebuilding_can_be_undone_by_a_script() -> None:
    for repair in REPAIRS:
        facts = world(SAID[repair.id])
        plan = repair.plan(found(facts), facts)
        assert isinstance(plan, Plan)
        undo = [step.undo_script for step in plan.steps if isinstance(step, RunScript) and step.undo_script]
        assert undo == (["linux/restore-rpmdb.sh"] if repair.id == "rebuild-rpmdb" else [])


class TestExcludePackage:
    """The package goes into the deployment's excluded masks; everything else stays."""

    def put(self, facts: Facts) -> PutDeployment:
        plan = ExcludePackage().plan(found(facts), facts)
        assert isinstance(plan, Plan)
        (step,) = plan.steps
        assert isinstance(step, PutDeployment)
        return step

    def test_it_is_added_behind_those_that_are_there(self) -> None:
        step = self.put(world(**packages("zlib"), body={"excluded": ["kernel*"]}))

        masks = at(step.after, "properties.updateConfiguration.linux.excludedPackageNameMasks")
        assert masks == ["kernel*", "zlib"]

    def test_the_description_says_until_when_and_keeps_what_it_said(self) -> None:
        facts = world(**packages("zlib"))
        document = next(d for d in facts.documents.values() if text_at(d, "name") == "Weekly")
        document["properties"]["scheduleInfo"]["description"] = "Owner: Ann"  # type: ignore[index, call-overload]

        said = text_at(self.put(facts).after, "properties.scheduleInfo.description")

        assert said == "Owner: Ann Patchwright left out zlib on 2026-03-10; look again by 2026-04-09."

    def test_nothing_else_in_the_deployment_changes(self) -> None:
        step = self.put(world(**packages("zlib")))
        assert same_deployment(step.before, step.after) is not None

        rest = copy.deepcopy(step.after)
        properties: Any = rest["properties"]
        properties["updateConfiguration"]["linux"]["excludedPackageNameMasks"] = []
        properties["scheduleInfo"]["description"] = ""
        properties["scheduleInfo"]["startTime"] = at(step.before, "properties.scheduleInfo.startTime")

        assert same_deployment(step.before, rest) is None

    @pytest.mark.parametrize(
        ("mask", "planned"),
        [("zlib", False), ("ZLIB", False), ("zl*", False), ("*", False), ("zlib1g", True), ("lib*", True)],
    )
    def test_what_is_left_out_already_is_not_added_again(self, mask: str, planned: bool) -> None:  # noqa: FBT001
        facts = world(**packages("zlib"), body={"excluded": [mask]})

        assert isinstance(ExcludePackage().plan(found(facts), facts), Plan) == planned

    # Fifteen minutes are enough, fourteen are not.
    @pytest.mark.parametrize(("ahead", "planned"), [(15 * MINUTE, True), (14 * MINUTE, False)])
    def test_a_run_that_is_near_is_not_disturbed(self, ahead: timedelta, planned: bool) -> None:  # noqa: FBT001
        facts = world(**packages("zlib"), body={"next_run": NOW + ahead})

        assert isinstance(ExcludePackage().plan(found(facts), facts), Plan) == planned

    def test_the_risk_says_who_goes_without(self) -> None:
        facts = world(**packages("zlib"))
        plan = ExcludePackage().plan(found(facts), facts)

        assert isinstance(plan, Plan)
        assert "No machine of Weekly gets updates of zlib" in plan.risk

    @given(st.lists(st.text(max_size=20), max_size=5))
    def test_whatever_masks_there_are_stay(self, masks: list[str]) -> None:
        facts = world(**packages("zlib"), body={"excluded": masks})
        answer = ExcludePackage().plan(found(facts), facts)

        if isinstance(answer, Plan):
            (step,) = answer.steps
            assert isinstance(step, PutDeployment)
            kept = at(step.after, "properties.updateConfiguration.linux.excludedPackageNameMasks")
            assert kept == [*masks, "zlib"]
