"""What a diagnosis adds to a finding and to the advice on it."""

from __future__ import annotations

from engine.insides import advised, with_obstacles
from model.facts import Facts
from model.findings import Finding
from remediations.protocol import declined
from tests.builders import a_finding, a_machine, facts
from tests.diagnoses import a_diagnosis, looked_into

WEB = a_machine("web-01")
SEEN = facts(machines=[WEB])


def on_web() -> Finding:
    return a_finding(target=WEB.id, name=WEB.name, evidence={"text": "it says"})


def obstructed() -> Facts:
    return looked_into(SEEN, {WEB.id: a_diagnosis(clk="F:400s", ags="F:dns,0of1", prx="W:set", dsk="U:broke")})


def test_what_failed_inside_is_evidence_what_comes_first_first() -> None:
    found = with_obstacles(on_web(), obstructed())

    assert found.evidence == {
        "text": "it says",
        "inside": {
            "agent-service-reachable": "failed dns,0of1",
            "winhttp-proxy": "warning set",
            "clock": "failed 400s",
        },
    }
    assert [*found.evidence["inside"]] == ["agent-service-reachable", "winhttp-proxy", "clock"]  # type: ignore[misc] # JSON


def test_without_a_diagnosis_or_an_obstacle_a_finding_is_as_it_was() -> None:
    well = looked_into(SEEN, {WEB.id: a_diagnosis()})
    silent = looked_into(SEEN, {WEB.id: "it is not running"})

    assert [with_obstacles(on_web(), one) for one in (SEEN, well, silent)] == [on_web()] * 3


def test_each_failure_inside_is_a_step_of_the_advice() -> None:
    """Exact: this machine, this rule, how far it came, and what is done about it."""
    answer = advised(declined(on_web(), "advise", "a person has to look", "Look."), obstructed())

    first, agent, clock = answer.advice.steps
    assert first == "Look."
    assert agent.startswith("Inside web-01, agent service of automation (dns,0of1): The worker cannot register")
    assert clock.startswith("Inside web-01, clock (400s): ")


def test_advice_on_a_machine_that_nobody_looked_into_is_as_it_was() -> None:
    plain = declined(on_web(), "advise", "a person has to look", "Look.")

    assert advised(plain, SEEN) == plain
    assert advised(plain, looked_into(SEEN, {WEB.id: "it is not running"})) == plain
