"""What Slack reports of a press of a button, read without trust: a click, or the reason why it is none."""

from collections.abc import Mapping
from dataclasses import dataclass

from fireline.domain.clicks import ACTION_PREFIX, ApprovalGiven, StopAsked, Subject, subject_of
from fireline.domain.events import Malformed
from fireline.domain.incidents import Acknowledge, EscalateNow, Resolve

VIA = "slack"

Asked = Acknowledge | EscalateNow | Resolve | ApprovalGiven | StopAsked
"""What a click can ask for."""

NOT_OURS = "not_ours"
"""The reason of a click that another app's button, or a link, reports: nothing to say about it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the person who clicked can be answered, and who it is; empty where Slack did not say."""

    user: str = ""
    room: str = ""
    response_url: str = ""


@dataclass(frozen=True, slots=True)
class Click:
    """One press: `action` is acknowledge, escalate, resolve, approve, reject, stop or lift."""

    place: Place
    action: str
    subject: Subject


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= 4000 else ""


def place_of(payload: object) -> Place:
    """Where to answer, as far as `payload` tells."""
    data = _mapping(payload)
    room = _mapping(data.get("channel")).get("id") or _mapping(data.get("container")).get("channel_id")
    return Place(_text(_mapping(data.get("user")).get("id")), _text(room), _text(data.get("response_url")))


def parse_interaction(payload: object) -> Click | Malformed:
    """A click of ours from a `block_actions` payload; never raises."""
    data = _mapping(payload)
    kind = data.get("type")
    if kind != "block_actions":
        return Malformed(NOT_OURS, f"an interaction of type {kind!r}")
    actions = data.get("actions")
    first = _mapping(actions[0]) if isinstance(actions, list) and actions else {}
    action_id = _text(first.get("action_id"))
    if not action_id.startswith(ACTION_PREFIX):
        return Malformed(NOT_OURS, f"the action {action_id!r}")
    place = place_of(payload)
    if not place.user:
        return Malformed("no_user", "the click does not say whose it is")
    subject = subject_of(_text(first.get("value")))
    if subject is None:
        return Malformed("bad_value", "the button does not say which incident or run it belongs to")
    return Click(place, action_id.removeprefix(ACTION_PREFIX).partition(":")[0], subject)


def asked(click: Click, person: str) -> Asked | Malformed:
    """What the click of `person` asks for."""
    subject = click.subject
    if click.action in ("approve", "reject") and subject.run is not None:
        return ApprovalGiven(subject.run, subject.step, person, click.action == "approve", VIA)
    if subject.incident is None:
        return Malformed("bad_value", f"{click.action} without an incident")
    found = _on_incident(click.action, subject.incident, subject, person)
    return found or Malformed("unknown_action", f"nothing is called {click.action!r}")


def _on_incident(action: str, incident: int, subject: Subject, person: str) -> Asked | None:
    match action:
        case "acknowledge":
            return Acknowledge(incident, person, VIA, subject.version, page=subject.page, listed=subject.listed)
        case "escalate":
            return EscalateNow(incident, person, VIA, subject.version)
        case "resolve":
            return Resolve(incident, person, VIA, subject.version)
        case "stop" | "lift":
            return StopAsked(incident, person, action == "lift", VIA)
        case _:
            return None


def typed_instead(subject: Subject) -> str:
    """The command that does without Slack what a click was to do."""
    if subject.incident is not None:
        return f"`fireline incidents ack INC-{subject.incident}`"
    return f"`fireline runs show {subject.run}`"
