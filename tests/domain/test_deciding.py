import pytest

from fireline.domain.catalog import Catalog, Service, Team
from fireline.domain.deciding import decide
from fireline.domain.effects import Publish, Say, SendPage, StartRun, UpdateCard, UpdatePage
from fireline.domain.incident_acts import ChangeSeverity
from fireline.domain.incidents import (
    Acknowledge,
    AddNote,
    DeliveryReported,
    EscalateNow,
    PageStatus,
    Resolve,
    RouteReported,
    RunReported,
    SignalArrived,
    Status,
    TimerDue,
)
from fireline.domain.oncall import OnCall
from tests.domain.deciding_world import NOW, PEOPLE, SEVERITIES, Scene, kinds, of, policy, signal, target, texts, world


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_opening_pages_the_person_on_call_and_says_why(scene: Scene) -> None:
    decision = scene.fires(rule="fraud_latency")
    page = decision.incident.pages[0]
    assert (page.person, page.level, page.status) == ("ann", 0, PageStatus.SENDING)
    assert (page.why.schedule, page.why.source, page.why.next_person) == ("primary", "layer weekly", "bob")
    assert (
        "Paged Ann Berg (payments-ml level 1, on call from schedule primary, layer weekly, until Mon 09:00) on slack: "
        "fraud_latency on fraud-scoring" in texts(decision)
    )
    assert [(e.person, e.channel, e.address, e.key) for e in of(decision, SendPage)] == [
        ("ann", "slack", "U1", "inc-7/page-1/slack")
    ]
    assert decision.arm[0].due_at == NOW + 300
    assert decision.arm[0].kind == "escalate"
    assert (decision.incident.status, decision.incident.version, decision.incident.id) == (Status.TRIGGERED, 1, "INC-7")


def test_opening_makes_a_card_says_it_and_publishes(scene: Scene) -> None:
    decision = scene.fires()
    assert [(e.address, e.key) for e in of(decision, UpdateCard)] == [("C1", "inc-7/card/slack:C1/v1")]
    assert any("Paged Ann Berg" in say.text for say in of(decision, Say))
    published = of(decision, Publish)[0]
    assert (published.topic, published.record_key, published.value["status"]) == (
        "fireline.incidents",
        "INC-7",
        "triggered",
    )


def test_the_rules_own_owner_wins_over_the_services() -> None:
    scene = Scene(owners={"fraud_latency": "platform"})
    assert scene.fires().incident.owner == "platform"
    assert scene.incident.pages[0].person == "cyd"


def test_an_unknown_service_is_owned_by_the_default_team_and_says_so(scene: Scene) -> None:
    decision = scene.fires(service="nowhere")
    assert decision.incident.owner == "platform"
    assert "nowhere is not in the catalog: platform answers for it by default" in texts(decision)


def test_a_service_is_known_by_its_alias(scene: Scene) -> None:
    assert scene.fires(service="fraud").incident.service == "fraud-scoring"


def test_a_severity_that_does_not_page_opens_an_incident_and_a_card_and_pages_nobody(scene: Scene) -> None:
    decision = scene.fires("notice")
    assert of(decision, UpdateCard)
    assert not of(decision, SendPage)
    assert not decision.arm
    assert "Nobody is paged: severity notice does not page" in texts(decision)
    assert scene.fires("outage", rule="other").incident.pages[0].person == "ann"


def test_a_shadow_rule_opens_nothing_and_says_what_it_would_do(scene: Scene) -> None:
    decision = scene.fires(mode="shadow")
    assert decision.incident is None
    assert not decision.effects
    assert "shadow" in decision.reason
    assert "payments-ml" in decision.reason


def test_a_level_on_which_nobody_is_on_call_is_passed_at_once() -> None:
    world_ = world()
    oncall = OnCall({}, world_.oncall.policies)
    scene = Scene(oncall=oncall)
    decision = scene.fires()
    assert decision.incident.pages[0].person == "bob"
    assert decision.incident.escalation.level == 1
    assert "schedule primary does not exist" in texts(decision)
    assert "Nobody can be reached on payments-ml level 1: the next level is asked at once" in texts(decision)


def test_a_policy_with_nobody_hands_over_to_the_backup_team() -> None:
    policies = {**world().oncall.policies, "payments": policy("payments", [target("person", "eve")])}
    scene = Scene(oncall=OnCall({}, policies))
    decision = scene.fires()
    assert [page.person for page in decision.incident.pages] == ["cyd"]
    assert decision.incident.pages[0].why.owner == "platform"
    assert "Eve Ito has no contact on a configured channel" in texts(decision)


def test_when_nobody_at_all_can_be_reached_it_is_loud(scene: Scene) -> None:
    decision = scene.fires(service="ghost")
    assert decision.incident.escalation.exhausted
    assert not decision.incident.pages
    assert "NOBODY HAS TAKEN INC-7" in texts(decision)
    assert not decision.arm


def test_an_incident_has_an_owner_even_with_an_empty_catalog() -> None:
    scene = Scene(catalog=Catalog({}, {}, {}, SEVERITIES), oncall=OnCall())
    assert scene.fires().incident.owner == "unowned"
    assert "exhausted" in scene.kinds()


def test_every_member_of_a_team_and_nobody_twice() -> None:
    targets = [target("team", "payments-ml"), target("person", "ann"), target("schedule", "primary")]
    policies = {**world().oncall.policies, "payments": policy("payments", targets)}
    scene = Scene(oncall=OnCall(world().oncall.schedules, policies))
    assert [page.person for page in scene.fires().incident.pages] == ["ann", "bob"]


def test_escalation_asks_the_next_level_after_the_wait_then_the_backup_then_nobody(scene: Scene) -> None:
    scene.fires()
    heard = scene.passes(299.0)
    assert heard == []
    scene.passes(1.0)
    assert [(p.person, p.status) for p in scene.incident.pages] == [
        ("ann", PageStatus.ESCALATED),
        ("bob", PageStatus.SENDING),
    ]
    scene.passes(300.0)
    assert scene.incident.pages[-1].person == "cyd"
    scene.passes(300.0)
    assert scene.incident.escalation.exhausted
    assert [p.status for p in scene.incident.pages] == [
        PageStatus.ESCALATED,
        PageStatus.ESCALATED,
        PageStatus.EXHAUSTED,
    ]
    assert not scene.timers
    assert scene.now == NOW + 900


def test_rounds_repeat() -> None:
    policies = {"platform": policy("platform", [target("person", "cyd")], repeat=2)}
    scene = Scene(oncall=OnCall({}, policies))
    scene.fires(service="search")
    scene.passes(3000.0)
    assert [(p.person, p.round) for p in scene.incident.pages] == [("cyd", 0), ("cyd", 1), ("cyd", 2)]
    assert scene.incident.escalation.exhausted


def test_an_early_timer_is_armed_again_and_changes_nothing(scene: Scene) -> None:
    scene.fires()
    before = scene.incident
    decision = scene.says(TimerDue(7, "escalate", "inc-7/escalate", NOW))
    assert decision.incident == before
    assert decision.arm[0].due_at == NOW + 300


def test_acknowledging_stops_escalation_and_takes_back_what_is_queued(scene: Scene) -> None:
    scene.fires()
    scene.now += 12
    decision = scene.acks("ann")
    assert decision.withdraw == ("inc-7/page-1/slack",)
    assert "inc-7/escalate" in decision.disarm
    assert (decision.incident.status, decision.incident.acknowledged_by) == (Status.ACKNOWLEDGED, "ann")
    assert decision.incident.pages[0].status is PageStatus.ACKNOWLEDGED
    assert [update.page for update in of(decision, UpdatePage)] == [1]
    assert [t.kind for t in decision.arm] == ["ack_timeout", "ack_warning"]


def test_a_second_acknowledgement_says_who_was_first(scene: Scene) -> None:
    scene.fires()
    scene.acks("ann")
    scene.now += 12
    decision = scene.acks("bob")
    assert decision.reply == "INC-7 was already acknowledged by Ann Berg 12 s ago"
    assert decision.incident.version == 2
    assert not decision.effects


def test_a_late_click_changes_nothing_and_answers_politely(scene: Scene) -> None:
    scene.fires()
    scene.says(Resolve(7, "ann", "slack"))
    resolved = scene.incident
    scene.now += 180
    for late in (Acknowledge(7, "bob", "slack", 1), EscalateNow(7, "bob", "slack", 1), Resolve(7, "bob", "slack", 1)):
        decision = scene.says(late)
        assert decision.incident == resolved
        assert not decision.effects
        assert not decision.arm
        assert decision.reply == "INC-7 was resolved by Ann Berg 3 min ago; nothing was changed"


def test_a_click_on_what_was_seen_before_it_reopened_changes_nothing(scene: Scene) -> None:
    scene.fires()
    scene.says(Resolve(7, "ann", "slack"))
    scene.now += 60
    scene.fires(episode=scene.now)
    decision = scene.acks("bob", version=1)
    assert "reopened" in decision.reply
    assert decision.incident.acknowledged_by is None
    assert scene.acks("bob", version=scene.incident.version).incident.acknowledged_by == "bob"


def test_a_stale_acknowledgement_pages_again(scene: Scene) -> None:
    scene.fires()
    scene.acks()
    heard = scene.passes(1800.0)
    assert "Paging again: Ann Berg took it 30 min ago, and it still fires" in texts(heard[-1])
    assert scene.incident.pages[-1].person == "ann"
    assert scene.incident.status is Status.TRIGGERED
    assert scene.timers["inc-7/escalate"].due_at == scene.now + 300


def test_a_failed_delivery_tries_the_persons_next_channel_then_the_next_level(scene: Scene) -> None:
    scene.fires()
    decision = scene.says(DeliveryReported(7, 1, "slack", delivered=False, detail="channel_not_found"))
    assert [(e.channel, e.person) for e in of(decision, SendPage)] == [("email", "ann")]
    assert "channel_not_found; trying email" in texts(decision)
    decision = scene.says(DeliveryReported(7, 1, "email", delivered=False, detail="550"))
    assert [(e.channel, e.person) for e in of(decision, SendPage)] == [("slack", "bob")]
    assert decision.incident.pages[0].status is PageStatus.EXHAUSTED
    assert "the next level is asked at once" in texts(decision)


def test_a_pending_delivery_tries_the_next_channel_and_keeps_trying_the_first(scene: Scene) -> None:
    scene.fires()
    report = DeliveryReported(7, 1, "slack", delivered=False, detail="rate limited", pending=True)
    decision = scene.says(report)
    assert [e.channel for e in of(decision, SendPage)] == ["email"]
    assert not decision.withdraw
    assert "Delivery pending on slack for Ann Berg: rate limited; trying email as well" in texts(decision)


def test_a_delivery_is_told_by_the_timeline_alone(scene: Scene) -> None:
    scene.fires()
    decision = scene.says(DeliveryReported(7, 1, "slack", delivered=True))
    assert decision.incident.pages[0].status is PageStatus.DELIVERED
    assert kinds(decision) == ["delivered"]
    assert not decision.effects
    assert scene.says(DeliveryReported(7, 1, "slack", delivered=True)).incident.version == decision.incident.version


def test_it_resolves_when_it_stayed_clear(scene: Scene) -> None:
    scene.fires()
    scene.clears()
    assert scene.timers["inc-7/settle"].due_at == NOW + 60
    heard = scene.passes(60)
    assert scene.incident.status is Status.RESOLVED
    assert scene.incident.resolved_at == NOW + 60
    assert heard[-1].withdraw == ("inc-7/page-1/slack",)
    assert scene.incident.pages[0].status is PageStatus.WITHDRAWN
    assert not scene.timers


def test_it_stays_open_while_another_signal_fires(scene: Scene) -> None:
    scene.fires()
    scene.fires("degraded", region="us")
    decision = scene.clears()
    assert "inc-7/settle" not in scene.timers
    assert "Severity falls from outage to degraded" in texts(decision)


def test_firing_again_while_it_settles_is_a_flap_that_holds_it_open(scene: Scene) -> None:
    scene.fires()
    scene.clears()
    scene.passes(40)
    decision = scene.fires()
    assert "fraud_latency{service=fraud-scoring, region=eu} fires again after 40 s clear" in texts(decision)
    assert "inc-7/settle" not in scene.timers
    assert not of(decision, SendPage)
    scene.clears()
    scene.passes(30)
    assert "2 times" in texts(scene.fires())
    assert scene.incident.status is Status.TRIGGERED


def test_what_fires_again_after_long_is_no_flap(scene: Scene) -> None:
    scene.fires()
    scene.fires(region="us")
    scene.clears()
    scene.passes(1801)
    decision = scene.fires()
    assert "fires again after 30 min clear" in texts(decision)
    assert "flap" not in kinds(decision)
    assert sum(attached.flaps for attached in decision.incident.signals.values()) == 0


def test_a_new_episode_soon_after_reopens_the_same_incident_and_pages_again(scene: Scene) -> None:
    scene.fires()
    scene.acks()
    scene.clears()
    scene.passes(60 + 1700)
    decision = scene.fires()
    assert decision.incident.number == 7
    assert decision.incident.reopened == 1
    assert of(decision, SendPage)[0].key == "inc-7/page-2/slack"
    assert "Reopened, 28 min after it was resolved" in texts(decision)


def test_a_new_episode_later_is_a_new_incident(scene: Scene) -> None:
    scene.fires()
    scene.clears()
    scene.passes(60 + 1801)
    assert scene.fires().incident.number == 8


def test_a_severity_rising_above_an_acknowledged_one_pages_again_and_says_why(scene: Scene) -> None:
    scene.fires("degraded")
    scene.acks("ann")
    decision = scene.fires("outage", episode=NOW)
    assert "Paging again: Ann Berg acknowledged degraded, and it is outage now" in texts(decision)
    assert len(of(decision, SendPage)) == 1
    assert decision.incident.status is Status.TRIGGERED


def test_a_severity_that_falls_and_rises_again_does_not_page_who_acknowledged_the_worse(scene: Scene) -> None:
    scene.fires("outage")
    scene.acks("ann")
    scene.now += 10
    scene.fires("degraded", episode=NOW)
    scene.now += 10
    decision = scene.fires("outage", episode=NOW)
    assert not of(decision, SendPage)
    assert "Not paged again: Ann Berg is on it" in texts(decision)


def test_a_rise_while_somebody_is_being_asked_does_not_page_twice(scene: Scene) -> None:
    scene.fires("degraded")
    scene.now += 10
    decision = scene.fires("outage", episode=NOW)
    assert not of(decision, SendPage)
    assert [u.page for u in of(decision, UpdatePage)] == [1]


def test_a_persons_severity_sticks(scene: Scene) -> None:
    scene.fires("degraded")
    assert scene.says(ChangeSeverity(7, "ann", "cli", "notice")).reply.startswith("INC-7 is at notice, set by hand")
    assert scene.fires("outage", rule="other").incident.severity == "notice"
    assert scene.says(ChangeSeverity(7, "ann", "cli", None)).incident.severity == "outage"
    assert "not a severity" in scene.says(ChangeSeverity(7, "ann", "cli", "whatever")).reply


def test_resolving_while_it_fires_is_told_and_the_same_episode_stays_quiet(scene: Scene) -> None:
    scene.fires("degraded")
    decision = scene.says(Resolve(7, "ann", "slack"))
    assert "still firing: fraud_latency{service=fraud-scoring, region=eu} at degraded" in decision.reply
    scene.now += 10
    quiet = scene.fires("degraded", episode=NOW)
    assert quiet.incident.status is Status.RESOLVED
    assert not of(quiet, SendPage)
    scene.now += 10
    worse = scene.fires("outage", episode=NOW)
    assert worse.incident.status is Status.TRIGGERED
    assert of(worse, SendPage)


def test_resolving_while_it_fires_does_not_hide_the_next_episode(scene: Scene) -> None:
    scene.fires()
    scene.says(Resolve(7, "ann", "slack"))
    scene.now += 10
    scene.clears()
    assert scene.incident.status is Status.RESOLVED
    scene.now += 10
    assert scene.fires().incident.status is Status.TRIGGERED


def test_a_fallback_in_force_mitigates_and_holds_it_open_until_it_is_handed_back(scene: Scene) -> None:
    scene.fires()
    scene.says(RouteReported(7, "fraud-scoring", on_fallback=True, detail="on standby", until=NOW + 3600))
    scene.clears()
    assert scene.incident.status is Status.MITIGATED
    assert "inc-7/escalate" not in scene.timers
    heard = scene.passes(60)
    assert "held open: fallback of fraud-scoring in force" in texts(heard[-1])
    assert "stays open" in scene.says(Resolve(7, "ann", "slack")).reply
    scene.says(RouteReported(7, "fraud-scoring", on_fallback=False, detail="back on primary"))
    assert "inc-7/lease/fraud-scoring" not in scene.timers
    scene.passes(60)
    assert scene.incident.status is Status.RESOLVED


def test_a_lease_that_runs_out_pages_the_owner(scene: Scene) -> None:
    scene.fires()
    scene.acks()
    scene.says(RouteReported(7, "fraud-scoring", on_fallback=True, detail="", until=NOW + 600))
    scene.clears()
    heard = scene.passes(600)
    assert "lease of fraud-scoring ran out" in texts(heard[-1])
    assert of(heard[-1], SendPage)[0].person == "ann"


def test_a_fallback_that_nobody_hands_back_pages_again_every_lease_though_it_was_taken(scene: Scene) -> None:
    scene.fires()
    scene.says(RouteReported(7, "fraud-scoring", on_fallback=True, detail="", until=NOW + 600))
    scene.clears()
    scene.passes(600)
    scene.acks()
    heard = scene.passes(3600)
    assert of(heard[-1], SendPage)[0].person == "ann"
    scene.says(RouteReported(7, "fraud-scoring", on_fallback=False, detail=""))
    assert not [key for key in scene.timers if "lease" in key]


def test_a_fallback_that_comes_into_force_after_the_end_reopens(scene: Scene) -> None:
    scene.fires()
    scene.clears()
    scene.passes(60)
    decision = scene.says(RouteReported(7, "fraud-scoring", on_fallback=True, detail=""))
    assert decision.incident.status is Status.MITIGATED
    assert not of(decision, SendPage)


def test_firing_again_while_mitigated_pages_again(scene: Scene) -> None:
    scene.fires()
    scene.says(RouteReported(7, "fraud-scoring", on_fallback=True, detail=""))
    scene.clears()
    decision = scene.says(SignalArrived(signal(at=NOW + 5)))
    assert decision.incident.status is Status.TRIGGERED
    assert of(decision, SendPage)


def test_runbooks_are_asked_for_on_opening_and_on_a_rise(scene: Scene) -> None:
    decision = scene.fires("degraded", runbooks=("reroute",))
    run = of(decision, StartRun)[0]
    assert (run.runbook, run.incident) == ("reroute", 7)
    assert run.inputs == {"service": "fraud-scoring", "region": "eu", "severity": "degraded"}
    assert not of(scene.fires("degraded", region="us", runbooks=("reroute",)), StartRun)
    scene.now += 5
    assert of(scene.fires("outage", episode=NOW, runbooks=("reroute",)), StartRun)[0].inputs["severity"] == "outage"


def test_a_runbook_under_way_is_not_started_beside_itself(scene: Scene) -> None:
    scene.fires("degraded", runbooks=("reroute",))
    scene.says(RunReported(7, 1, "reroute", "running", "step reroute"))
    scene.now += 5
    decision = scene.fires("outage", episode=NOW, runbooks=("reroute",))
    assert not of(decision, StartRun)
    assert "under way" in texts(decision)


def test_runbooks_do_not_start_when_a_signal_clears(scene: Scene) -> None:
    scene.fires(runbooks=("reroute",))
    assert not of(scene.clears(runbooks=("reroute",)), StartRun)


def test_a_failed_run_pages_when_nobody_is_on_it(scene: Scene) -> None:
    scene.fires()
    scene.says(RouteReported(7, "fraud-scoring", on_fallback=True, detail=""))
    scene.clears()
    decision = scene.says(RunReported(7, 1, "reroute", "undo_failed", "step back"))
    assert of(decision, SendPage)
    assert decision.incident.runs["1"].status == "undo_failed"


def test_a_run_that_was_refused_pages_when_runs_undo_each_other_and_nobody_is_on_it(scene: Scene) -> None:
    scene.fires()
    scene.says(RouteReported(7, "fraud-scoring", on_fallback=True, detail=""))
    scene.clears()
    assert not of(scene.says(RunReported(7, 1, "reroute", "refused", "the budget is spent: 3 runs")), SendPage)
    decision = scene.says(RunReported(7, 2, "reroute", "refused", "oscillating: route of fraud-scoring was moved back"))
    assert of(decision, SendPage)


def test_an_incident_is_not_over_before_its_run_is(scene: Scene) -> None:
    scene.fires()
    scene.says(RunReported(7, 1, "reroute", "running", "step verify"))
    scene.clears()
    assert "held open until it has ended: run 1 of reroute" in "".join(texts(one) for one in scene.passes(60))
    assert scene.incident.status is not Status.RESOLVED
    scene.says(RunReported(7, 1, "reroute", "succeeded", "all steps done"))
    scene.passes(1)
    assert scene.incident.status is Status.RESOLVED


def test_a_run_that_ends_early_does_not_shorten_the_quiet_time(scene: Scene) -> None:
    scene.fires()
    scene.says(RunReported(7, 1, "reroute", "running", "step verify"))
    scene.clears()
    scene.now += 20
    decision = scene.says(RunReported(7, 1, "reroute", "succeeded", "all steps done"))
    assert [timer.due_at for timer in decision.arm] == [scene.now + 40]


def test_asking_for_the_next_level_pages_it_at_once(scene: Scene) -> None:
    scene.fires()
    scene.acks("ann")
    decision = scene.says(EscalateNow(7, "ann", "slack"))
    assert of(decision, SendPage)[0].person == "bob"
    assert decision.reply == "INC-7: paging Bob Roy"
    assert decision.incident.status is Status.TRIGGERED


def test_a_note_is_written_on_a_closed_incident_too(scene: Scene) -> None:
    scene.fires()
    scene.says(Resolve(7, "ann", "cli"))
    assert "Ann Berg: it was DNS" in texts(scene.says(AddNote(7, "ann", "it was DNS")))


def test_an_incident_that_does_not_exist_is_told() -> None:
    decision = decide(None, Acknowledge(99, "ann", "cli"), world(), NOW)
    assert decision.reply == "INC-99 does not exist"
    assert decision.incident is None
    assert decide(None, TimerDue(99, "settle", "inc-99/settle", NOW), world(), NOW).disarm == ("inc-99/settle",)


def test_an_older_verdict_that_arrives_late_changes_nothing(scene: Scene) -> None:
    scene.fires()
    before = scene.incident
    assert scene.says(SignalArrived(signal("clear", at=NOW - 5))).incident == before


def test_unknown_is_not_clear(scene: Scene) -> None:
    scene.fires()
    scene.now += 5
    decision = scene.says(SignalArrived(signal("unknown", at=scene.now)))
    assert decision.incident.firing
    assert "inc-7/settle" not in scene.timers


def test_the_rooms_of_a_team_that_is_not_configured_are_left_alone() -> None:
    teams = {"platform": Team("platform", "Platform", "platform", ("cyd",), {"pager": "X", "slack": "C2"})}
    catalog = Catalog({"search": Service("search", "platform")}, teams, PEOPLE, SEVERITIES)
    decision = Scene(catalog=catalog).fires(service="search")
    assert [card.channel for card in of(decision, UpdateCard)] == ["slack"]


def test_changes_of_a_resolved_incident_are_remembered_and_leave_no_deadline(scene: Scene) -> None:
    for _ in range(2):
        scene.fires()
        scene.now += 1
        scene.clears()
        scene.now += 1
    scene.passes(60)
    scene.fires()
    assert "flapping" in scene.kinds()
    scene.says(Resolve(7, "ann", "slack"))
    assert scene.timers == {}
    decision = scene.clears()
    assert scene.incident.status is Status.RESOLVED
    assert "flapping" not in kinds(decision), "nothing is held open that is over"
    assert scene.timers == {}
    scene.now += 1
    decision = scene.fires()
    assert scene.incident.status is Status.TRIGGERED
    assert [timer.due_at for timer in scene.timers.values() if timer.kind == "calm"] == [scene.now + 600]


def test_what_was_flapping_when_it_was_resolved_calms_after_it_got_worse_and_was_reopened(scene: Scene) -> None:
    for _ in range(3):
        scene.fires("degraded")
        scene.now += 1
        scene.clears()
        scene.now += 1
    scene.fires("degraded")
    scene.says(Resolve(7, "ann", "slack"))
    changed, scene.now = scene.now, scene.now + 100
    scene.fires("outage")
    assert scene.incident.status is Status.TRIGGERED
    assert [timer.due_at for timer in scene.timers.values() if timer.kind == "calm"] == [changed + 600]
    scene.passes(600)
    assert scene.kinds().count("calm") == 1
