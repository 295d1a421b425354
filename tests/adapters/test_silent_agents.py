"""A silent agent, from the finding to the beat after its restart, through the adapters and the simulated Azure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from detectors.no_heartbeat import NoHeartbeat
from detectors.protocol import kql
from engine.ports import StepDone, StepPending, quiet
from model.facts import Facts
from model.findings import Finding
from model.plans import Plan
from model.times import parse_time
from remediations.restart_agent import RestartSilentAgent
from simulator.fleets import generate
from tests.adapters.world import World, a_world
from tests.detectors.answers import found

FLEET = generate(30, 5)


def read(world: World) -> Facts:
    detector = NoHeartbeat()
    facts = world.estate.read(detector.reads, {name: kql(name) for name in detector.queries}, quiet)
    return world.estate.look_closer(facts, detector.suspects(facts))


@pytest.mark.parametrize("system", ["Windows", "Linux"])
def test_a_silent_agent_is_found_restarted_and_found_no_more(system: str) -> None:
    with a_world(FLEET) as world:
        well = read(world)
    assert found(NoHeartbeat().detect(well)) == []
    beating = [str(row["_ResourceId"]) for row in FLEET.logs["Heartbeat"] if row["Category"] == "Direct Agent"]
    machine = next(m for m in well.machines.values() if m.os == system and beating.count(m.id) > 2)
    since = FLEET.now - timedelta(hours=3)
    rows = [
        row
        for row in FLEET.logs["Heartbeat"]
        if row["_ResourceId"] != machine.id or (parse_time(row["TimeGenerated"]) or since) < since
    ]
    silent = replace(FLEET, logs={**FLEET.logs, "Heartbeat": rows})

    with a_world(silent) as world:
        facts = read(world)
        (finding,) = NoHeartbeat().detect(facts)
        assert isinstance(finding, Finding)
        assert finding.target == machine.id
        plan = RestartSilentAgent().plan(finding, facts)
        assert isinstance(plan, Plan)
        (step,) = plan.steps
        progress = world.writer.begin(step, "step", {})
        while isinstance(progress, StepPending):
            world.clock.sleep_until(world.clock.now() + progress.look_again)
            progress = world.writer.check(step, "step", progress.token)
        assert isinstance(progress, StepDone)
        assert progress.result["outcome"] == "restarted"
        world.clock.sleep_until(plan.settle.due(world.clock.now()))
        assert found(NoHeartbeat().detect(read(world))) == []
