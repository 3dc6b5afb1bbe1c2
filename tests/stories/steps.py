"""What may happen in a story: one word, one thing that happens."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from fireline.apps.faults import Refused
from fireline.apps.silence_asked import Asked
from fireline.apps.silence_asking import Desk
from fireline.domain.clicks import subject_of
from fireline.domain.incident_acts import (
    AddLink,
    AddTask,
    ChangeSeverity,
    ChangeTask,
    Close,
    Merge,
    SetRole,
    Split,
    WritePostMortem,
)
from fireline.domain.incident_records import Role
from fireline.domain.incidents import (
    Acknowledge,
    AddNote,
    EscalateNow,
    Input,
    Resolve,
    SignalArrived,
)
from fireline.domain.outcomes import Failed, Outcome, RetryLater
from fireline.domain.rules import Evidence, Mode, Signal, State
from fireline.engine.outward import Button
from fireline.engine.routes import Changed, change_route
from fireline.spec.durations import seconds
from tests.stories.scene import Scene, StoryError
from tests.stories.stream import Gateway

REQUESTS = {"acknowledge": Acknowledge, "escalate": EscalateNow, "resolve": Resolve}
KEPT = {
    "role": SetRole,
    "link": AddLink,
    "task": AddTask,
    "tick": ChangeTask,
    "postmortem": WritePostMortem,
    "close": Close,
}
PRESSABLE = (*REQUESTS, "approve", "reject")


def _signal(scene: Scene, given: Mapping[str, Any]) -> None:
    """A verdict of a rule, as evaluate would tell it; `again` delivers the last one of its entity once more."""
    service = given.get("service", "fraud-scoring")
    entity = tuple({"service": service, **given.get("entity", {})}.items())
    state = State(given.get("state", "firing"))
    rule, now = given["rule"], scene.clock.now()
    key = f"{rule}{entity}"
    last = scene.signals.get(key)
    if given.get("again"):
        scene.door.handle(SignalArrived(scene.signals[key]))
        return
    goes_on = last is not None and last.state is State.FIRING
    severity = given.get("severity", "outage") if state is State.FIRING else None
    signal = Signal(
        id=f"{key}/{state}/{severity}/{now!r}",
        rule=rule,
        entity=entity,
        service=service,
        state=state,
        severity=severity,
        at=now,
        started=now - 5.0,
        episode=last.episode if goes_on and last else now,
        summary=given.get("summary", f"{rule} of {service}"),
        evidence=Evidence({"top": 900.0}, 40, now - 10, now, "top > 800", ""),
        runbooks=tuple(given.get("runbooks", ())),
        mode=Mode(given.get("mode", "active")),
    )
    scene.signals[key] = signal
    scene.door.handle(SignalArrived(signal))


def _events(scene: Scene, given: Mapping[str, Any]) -> None:
    """Events that arrive now; `of` is a list, or one event."""
    found = given if isinstance(given, list) else [given]
    scene.stream.feed(found, scene.clock.now())


def _gateway(scene: Scene, given: Mapping[str, Any]) -> None:
    """Requests to a service from now on, or another behaviour of its targets; `every: never` ends them."""
    service = given.get("service", "fraud-scoring")
    if given.get("every") == "never":
        scene.gateways.pop(service)
        return
    if "every" in given:
        scene.gateways[service] = Gateway(service, seconds(given["every"]), scene.clock.now())
    scene.gateways[service].targets.update(given.get("targets", {}))


def _request(kind: type) -> Callable[[Scene, Any], None]:
    def ask(scene: Scene, given: Any) -> None:
        said = {"by": given} if isinstance(given, str) else given
        number = _number(scene, said)
        scene.told(said, kind(number, said["by"], said.get("via", "cli"), said.get("version")))

    return ask


def _number(scene: Scene, said: Mapping[str, Any]) -> int:
    incident = scene.incident(said.get("incident"))
    if incident is None:
        raise StoryError("there is no incident at this time")
    return incident.number


def _severity(scene: Scene, said: Mapping[str, Any]) -> None:
    number, to = _number(scene, said), said.get("to")
    scene.told(said, ChangeSeverity(number, said["by"], "cli", to, said.get("reason", ""), said.get("version")))


def _merge(scene: Scene, said: Mapping[str, Any]) -> None:
    """`incident` becomes part of `into`."""
    number, into = _number(scene, said), said["into"]
    scene.told(said, Merge(number, into, said["by"], "cli", said.get("reason", ""), said.get("version")))


def _split(scene: Scene, said: Mapping[str, Any]) -> None:
    """`signals`, by rule or fingerprint, become an incident of their own."""
    number, signals = _number(scene, said), tuple(said["signals"])
    scene.told(said, Split(number, said["by"], "cli", signals, said.get("reason", ""), said.get("version")))


def _keep(kind: type) -> Callable[[Scene, Any], None]:
    """An act whose fields the step names as the input does."""

    def ask(scene: Scene, said: Mapping[str, Any]) -> None:
        given = {k: Role(v) if k == "role" else v for k, v in said.items() if k not in {"by", "incident", "reply"}}
        scene.told(said, kind(incident=_number(scene, said), person=said["by"], via="cli", **given))

    return ask


def _note(scene: Scene, said: Mapping[str, Any]) -> None:
    scene.told(said, AddNote(_number(scene, said), said["by"], said["text"]))


def _press(scene: Scene, said: Mapping[str, Any]) -> None:
    """A button of a message: the newest one at `at` (a person or team) with it, in its first or latest version."""
    button, via = _find(scene, said), said.get("on", "slack")
    subject = subject_of(button.value)
    assert subject is not None, f"the button's value cannot be read: {button.value}"
    if button.action in REQUESTS:
        kind = REQUESTS[button.action]
        what: Input = kind(subject.incident or 0, said["by"], via, subject.version)
        if isinstance(what, Acknowledge):
            what = replace(what, page=subject.page, listed=subject.listed)
        scene.told(said, what)
        return
    assert scene.respond is not None
    assert subject.run is not None
    reply = scene.respond.runs.approve(subject.run, subject.step or None, said["by"], button.action == "approve")
    scene.check_reply(said, str(reply))


def _find(scene: Scene, said: Mapping[str, Any]) -> Button:
    channel, wanted = said.get("on", "slack"), said["button"]
    posted = scene.channels[channel].inner.at(scene.address(channel, said["at"]))
    for message in reversed(posted):
        versions = message.versions if said.get("as_seen") == "first" else message.versions[-1:]
        for version in versions:
            found = next((b for b in version.buttons if b.action == wanted), None)
            if found is not None:
                return found
    raise AssertionError(f"no message at {said['at']} on {channel} has a button {wanted}")


def _channel(scene: Scene, given: Mapping[str, Any]) -> None:
    """How the next deliveries on a channel end: `refuses`, `puts_off` or `doubts` a person, a team or everyone."""
    wire = scene.channels[given["channel"]]
    plans: Mapping[str, Outcome] = {
        "refuses": Failed(given.get("reason", "channel_not_found")),
        "puts_off": RetryLater(
            seconds(given.get("for", "1s")), given.get("reason", "rate limited"), limited=given.get("limited", False)
        ),
        "doubts": Failed(given.get("reason", "no answer"), unknown=True),
    }
    for word, outcome in plans.items():
        if word in given:
            address = scene.address(wire.name, given[word])
            if given.get("always"):
                wire.always[address] = outcome
            else:
                wire.inner.plan(address, *[outcome] * given.get("times", 1))
    if "works" in given:
        wire.always.pop(scene.address(wire.name, given["works"]), None)


def _route(scene: Scene, given: Mapping[str, Any]) -> None:
    """A route that somebody sets by hand, for the incident."""
    number, now = _number(scene, given), scene.clock.now()
    lease = seconds(given["lease"]) if "lease" in given else None
    service, by = given.get("service", "fraud-scoring"), f"person:{given.get('by', 'ann')}"
    with scene.store.transaction() as tx:
        config, reason = scene.settings.current, given.get("reason", "by hand")
        done = change_route(
            tx, config, service, given["to"], by=by, reason=reason, now=now, incident=number, lease_for=lease
        )
        assert isinstance(done, Changed), done
        if done.report is not None:
            scene.door.handle_in(tx, done.report)


def _silence(scene: Scene, given: Mapping[str, Any]) -> None:
    """A silence is made: `matchers`, `lasts` or `end`, and any other word of it; `refused` is a part of why not."""
    said = {**given, "reason": given.get("reason", "trying something")}
    _at_the_desk(scene, said, lambda desk, asked, by: desk.make(asked, by))


def _edit_silence(scene: Scene, given: Mapping[str, Any]) -> None:
    _at_the_desk(scene, given, lambda desk, asked, by: desk.edit(given["name"], asked, by))


def _end_silence(scene: Scene, given: Mapping[str, Any]) -> None:
    _at_the_desk(scene, given, lambda desk, _, by: desk.end(given["name"], by))


def _at_the_desk(scene: Scene, given: Mapping[str, Any], act: Callable[[Desk, Asked, str], object]) -> None:
    asked = Asked(**{key: value for key, value in given.items() if key not in {"by", "name", "refused"}})
    try:
        act(Desk(scene.store, scene.settings, scene.clock), asked, given.get("by", "ann"))
    except Refused as fault:
        refused = str(fault)
    else:
        refused = ""
    assert given.get("refused", "") in refused, f"it was refused: {refused or 'not at all'}"
    assert bool(refused) == ("refused" in given), f"it was refused: {refused}"


async def _kill(scene: Scene, given: Any) -> None:
    """Kill the respond role; with `{respond: holding}` just after it claimed everything that is due."""
    respond = scene.respond
    assert respond is not None, "the respond role is dead already"
    if isinstance(given, dict) and given.get("respond") == "holding":
        now = scene.clock.now()
        scene.store.claim_effects(respond.owner, now, 30.0, 100)
        scene.store.claim_timers(respond.owner, now, 15.0, 100)
    scene.respond = None


def _start(scene: Scene, _given: Any) -> None:
    assert scene.respond is None, "the respond role lives already"
    scene.bring_up()


async def _restart(scene: Scene, given: Any) -> None:
    await _kill(scene, given)
    _start(scene, given)


WORDS: Mapping[str, Callable[[Scene, Any], Awaitable[None] | None]] = {
    "signal": _signal,
    "events": _events,
    "gateway": _gateway,
    **{word: _request(kind) for word, kind in REQUESTS.items()},
    "severity": _severity,
    "merge": _merge,
    "split": _split,
    **{word: _keep(kind) for word, kind in KEPT.items()},
    "note": _note,
    "press": _press,
    "channel": _channel,
    "route": _route,
    "kill": _kill,
    "start": _start,
    "restart": _restart,
    "silence": _silence,
    "edit_silence": _edit_silence,
    "end_silence": _end_silence,
    "config": lambda scene, given: scene.configure(given),
}
"""Every word that a step may use beside `at` and `expect`."""


async def happen(scene: Scene, step: Mapping[str, Any]) -> None:
    """Let what the step says happen. `channel` has words of its own beside it."""
    words = [word for word in step if word in WORDS]
    if len(words) != 1:
        raise StoryError(f"a step says one thing that happens, or `expect`; found {sorted(set(step) - {'at'})}")
    [word] = words
    given = {key: value for key, value in step.items() if key != "at"} if word == "channel" else step[word]
    done = WORDS[word](scene, given)
    if done is not None:
        await done
