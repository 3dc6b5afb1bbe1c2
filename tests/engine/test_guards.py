"""Guards that refuse a run: runs that undo each other's work, one that touches too much; and who may overrule which."""

import json
from dataclasses import replace

import pytest

from fireline.domain.autonomy_table import Row
from fireline.domain.effects import Tell
from fireline.domain.outcomes import Done
from fireline.domain.runbooks import Autonomy, Oscillation, RunStatus
from fireline.domain.stops import Asked
from fireline.engine.stops import pull
from tests.engine.runs_world import SERVICE, World, runbook, world
from tests.engine.test_runs import Nothing, scripted

AWAY, HOME = {"fallback": 100}, {"primary": 100}
BOOK = """\
name: %s
owner: payments-ml
inputs: {service: {type: string, default: fraud-scoring}, bar: {type: bool, default: false}}
start: {mode: auto}
%s
steps:
  - id: move
    uses: route.set
    with: {service: "{{ inputs.service }}", to: %s}
    undo: {uses: route.set, with: {service: "{{ inputs.service }}", to: %s}}
"""


def book(name, to, back, guards=""):
    return runbook(BOOK % (name, guards, to, back))


def away(guards=""):
    return book("away", AWAY, HOME, guards)


def home(guards=""):
    return book("home", HOME, AWAY, guards)


@pytest.fixture
def w(tmp_path):
    made = world(tmp_path)
    yield made
    made.store.close()


async def swung(w: World, *books, guards="") -> None:
    """Runs of these, a minute apart."""
    for number, each in enumerate(books):
        started = w.want(each(guards), key=f"swing-{number}", person="ann")
        assert started.run.status is RunStatus.RUNNING, started.reason
        await w.runs.run_once()
        assert w.run(started.run.id).status is RunStatus.SUCCEEDED
        w.clock.advance(60)


async def test_the_run_that_would_take_traffic_back_once_more_is_refused_and_people_are_told(w):
    await swung(w, away, home, away)
    incident = w.fire()
    fourth = w.want(home(), key="fourth", incident=incident.number).run
    assert fourth.status is RunStatus.REFUSED
    assert fourth.reason.startswith(f"oscillating: route of {SERVICE} was moved back 2 times in 1h")
    for words in (
        "run 1 of away: primary 100 % -> fallback 100 %",
        "run 2 of home: fallback 100 % -> primary 100 %",
        "run 3 of away",
        "a person has to decide (--overrule oscillation)",
    ):
        assert words in fourth.reason
    assert any("refused: oscillating" in text for text in w.texts(incident.number)), w.texts(incident.number)
    told = [effect for effect in w.effects(Tell) if f"run-{fourth.id}/" in effect.key]
    assert told, "whoever answers for it is told"
    assert all(f"Run {fourth.id} of home is not started. Oscillating: " in each.text for each in told)
    assert w.route() == AWAY
    assert w.want(away(), key="same").run.status is RunStatus.RUNNING, "it moves nothing: the traffic is there"


async def test_after_the_time_and_for_another_target_runs_begin_as_ever(w):
    await swung(w, away, home, away)
    other = w.want(home(), key="other", inputs={"service": "checkout"}).run
    assert other.status is RunStatus.RUNNING
    w.clock.advance(3600)
    assert w.want(home(), key="later").run.status is RunStatus.RUNNING


async def test_a_runbook_and_the_table_say_how_often_is_too_often(w):
    await swung(w, away)
    assert w.want(home("guards: {oscillation: {reversals: 1, per: 10m}}"), key="strict").run.status is RunStatus.REFUSED
    w.settings.current = replace(w.settings.current, oscillation=Oscillation(1, 600.0))
    assert w.want(home(), key="table").run.status is RunStatus.REFUSED
    lax = home("guards: {oscillation: {reversals: 9, per: 1h}}")
    assert w.want(lax, key="own").run.status is RunStatus.RUNNING


async def test_where_a_step_goes_that_nobody_can_tell_is_where_the_last_run_went(w):
    text = BOOK % ("back", "", '"{{ steps.before.json }}"', AWAY)
    step = '  - {id: before, uses: http.get, with: {url: "https://x.example"}}\n'
    unsure = runbook(text.replace("steps:\n", "steps:\n" + step))
    w.settings.current = replace(w.settings.current, autonomy=(Row("all", Autonomy.AUTO),))
    w.actions["http.get"] = type("Get", (), {"mutates": False, "perform": lambda *_: _done({"json": HOME})})()
    w.options["http.get"] = Nothing
    w.runs = w.build()
    await swung(w, away, lambda _: unsure, away)
    refused = w.want(unsure, key="again").run
    assert refused.status is RunStatus.REFUSED
    assert "to primary 100 %" in refused.reason


async def _done(output):
    return Done(output)


async def test_nobody_is_asked_whether_a_run_may_start_that_would_be_refused(w):
    await swung(w, away, home, away)
    asks = runbook((BOOK % ("home", "", HOME, AWAY)).replace("mode: auto", "mode: approve"))
    assert w.want(asks, key="asks").run.status is RunStatus.REFUSED


# overruling
def overrules(tx):
    acts = [json.loads(entry.body) for entry in tx.audit_chain()]
    return [act for act in acts if act["kind"] == "run.overruled"]


async def test_a_person_overrules_and_everybody_can_read_it(w):
    await swung(w, away, home, away)
    incident = w.fire()
    more = {"incident": incident.number, "person": "ann", "reason": "the fallback is down"}
    run = w.want(home(), key="o", overrule=("oscillation",), **more).run
    assert run.status is RunStatus.RUNNING
    assert set(run.overruled) == {"oscillation"}
    (line,) = [text for text in w.texts(incident.number) if "overrules" in text]
    assert "ann overrules oscillation (oscillating: " in line
    assert "the fallback is down" in line
    assert "ann overrules oscillation" in w.journal(run.id)[0]
    with w.store.reading() as tx:
        (act,) = overrules(tx)
    assert (act["actor"], act["subject"]) == ("ann", f"run:{run.id}")
    assert act["text"] == "oscillation overruled: the fallback is down"
    await w.runs.run_once()
    assert w.route() == HOME


@pytest.mark.parametrize(
    ("overrule", "more", "why"),
    [
        (("cooldown",), {"person": "ann"}, "say why a guard is overruled"),
        (("cooldown",), {"person": "ann", "reason": " "}, "say why a guard is overruled"),
        (("cooldown",), {"reason": "because"}, "a guard is overruled by a person, who is named"),
        (("lock",), {"person": "ann", "reason": "because"}, "'lock' is not to be overruled; only budget, cooldown"),
        (("stop_if",), {"person": "ann", "reason": "because"}, "'stop_if' is not to be overruled"),
        (("approval",), {"person": "ann", "reason": "because"}, "'approval' is not to be overruled"),
    ],
)
async def test_it_takes_a_name_a_reason_and_a_guard_that_may_be(w, overrule, more, why):
    started = w.want(away("guards: {cooldown: 1h}"), overrule=overrule, **more)
    assert started.run is None
    assert why in started.reason


async def test_each_guard_is_overruled_by_its_own_name_and_those_that_did_not_refuse_are_not_noted(w):
    guards = "guards: {lock: x, cooldown: 1h, budget: {runs: 1, per: 1h}}"
    await swung(w, away, guards=guards)
    why = {"person": "ann", "reason": "because"}
    one = w.want(away(guards), key="1", overrule=("cooldown",), **why).run
    assert one.status is RunStatus.REFUSED
    assert "budget is spent" in one.reason
    both = w.want(away(guards), key="2", overrule=("cooldown", "budget", "oscillation"), **why).run
    assert both.status is RunStatus.RUNNING
    assert set(both.overruled) == {"budget", "cooldown"}


async def test_what_was_overruled_holds_when_the_run_had_to_wait_for_its_lock(w):
    scripted(w, last=Done())
    guards = "guards: {lock: x, budget: {runs: 1, per: 1h}}"
    w.want(away(guards), key="first")
    waits = w.want(away(guards), key="waits", person="ann", reason="because", overrule=("budget",)).run
    assert waits.status is RunStatus.WAITING
    assert waits.overruled == {}
    await w.runs.run_once()
    w.clock.advance(2)
    await w.runs.run_once()
    after = w.run(waits.id)
    assert after.status is RunStatus.SUCCEEDED
    assert set(after.overruled) == {"budget"}
    with w.store.reading() as tx:
        assert [act["actor"] for act in overrules(tx)] == ["ann"]


async def test_nothing_overrules_the_stop_switch_the_lock_or_the_approval_of_what_cannot_be_undone(w):
    every = {"person": "ann", "reason": "b", "overrule": ("budget", "cooldown", "oscillation", "blast_radius")}
    with w.store.transaction() as tx:
        stop = Asked("", "ben", "looking", "test", name="Ben")
        assert pull(tx, w.settings.current.catalog, stop, w.clock.now(), lambda _: False).done
    held = w.want(away(), key="held", **every).run
    assert held.status is RunStatus.WAITING
    assert "held: " in held.reason
    once = runbook((BOOK % ("once", "", AWAY, HOME)).split("    undo:")[0] + "    irreversible: true\n")
    asks = w.want(once, key="asks", **every).run
    assert asks.mode is Autonomy.APPROVE
    assert asks.status is RunStatus.WAITING
    assert not w.runs.approve(asks.id, "start", "ann", True).done, "nor does who overrules approve their own run"


# the blast radius
def wide(limit, to=AWAY):
    text = BOOK % ("wide", f"guards: {{blast_radius: {limit}}}", to, HOME)
    return runbook(
        text.replace("    uses: route.set\n", '    uses: route.set\n    foreach: "{{ inputs.services }}"\n', 1)
        .replace('"{{ inputs.service }}"', '"{{ item }}"')
        .replace("bar: {type: bool, default: false}", "services: {type: list, default: []}")
    )


@pytest.mark.parametrize(
    ("limit", "services", "why"),
    [
        ("{targets: 2}", ["a", "b"], ""),
        ("{targets: 2}", ["a", "b", "c"], "3 targets (route of a, route of b, route of c), at most 2"),
        ("{services: 2}", ["a", "b", "c"], "3 services (a, b, c), at most 2"),
        ("{share: 50}", [SERVICE], "100 % of a service's traffic off its primary, at most 50 %"),
        ("{share: 50, services: 1}", ["a", SERVICE], "2 services (a, fraud-scoring), at most 1; 100 % of a"),
    ],
)
async def test_a_run_that_would_touch_too_much_is_refused_with_figures(w, limit, services, why):
    run = w.want(wide(limit), inputs={"services": services}).run
    assert run.status is (RunStatus.REFUSED if why else RunStatus.RUNNING)
    if why:
        assert run.reason.startswith("its blast radius is too large: ")
        assert why in run.reason
        more = {"person": "ann", "reason": "all at once", "overrule": ("blast_radius",)}
        again = w.want(wide(limit), key="again", inputs={"services": services}, **more).run
        assert again.status is RunStatus.RUNNING
        assert why in again.overruled["blast_radius"]


async def test_a_run_that_would_touch_too_much_asks_where_the_runbook_says_so(w):
    run = w.want(wide("{targets: 1, if_more: ask}"), inputs={"services": ["a", "b"]}).run
    assert (run.status, run.mode) == (RunStatus.WAITING, Autonomy.APPROVE)
    assert "2 targets (route of a, route of b), at most 1" in run.allowed_by
    less = w.want(wide("{targets: 1, if_more: ask}"), key="less", inputs={"services": ["a"]}).run
    assert less.mode is Autonomy.AUTO


async def test_what_hangs_on_what_a_step_finds_counts_as_the_worst(w):
    text = BOOK % ("worst", "guards: {blast_radius: {targets: 3}}", AWAY, HOME)
    found = 'foreach: "{{ steps.look.json }}"\n    max_items: 4\n'
    step = '  - {id: look, uses: http.get, with: {url: "https://x.example"}}\n'
    unknown = runbook(
        text.replace("steps:\n", "steps:\n" + step)
        .replace("    uses: route.set\n", f"    uses: route.set\n    {found}", 1)
        .replace('"{{ inputs.service }}"', '"{{ item }}"')
    )
    run = w.want(unknown).run
    assert run.status is RunStatus.REFUSED
    assert "4 targets (up to 4 not known before), at most 3" in run.reason
