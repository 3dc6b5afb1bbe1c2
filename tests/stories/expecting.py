"""What a story may expect, each word a question to the scene that answers with what is wrong, or nothing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from fireline.domain.incidents import Incident, Page
from fireline.engine.outward import Message
from fireline.spec.durations import seconds
from tests.stories.scene import Scene, StoryError

Faults = Iterator[str]


def faults(scene: Scene, expected: Mapping[str, Any]) -> list[str]:
    """Everything in which the scene is not as expected. `of` names the incident, else it is the latest."""
    found: list[str] = []
    for word, value in expected.items():
        if word == "of":
            continue
        if word not in WORDS:
            raise StoryError(f"{word!r} cannot be expected; known: {', '.join(WORDS)}")
        found += WORDS[word](scene, value, expected.get("of"))
    return found


def _incident(scene: Scene, wanted: Any, number: int | None) -> Faults:
    incident = scene.incident(number)
    if wanted is None or incident is None:
        if (wanted is None) != (incident is None):
            yield f"incident: expected {wanted!r}, found {incident and incident.id!r}"
        return
    known = {each.name for each in fields(Incident)}
    for name, value in wanted.items():
        if name not in known:
            raise StoryError(f"an incident has no {name!r}")
        found = getattr(incident, name)
        if isinstance(value, list):
            found = list(found)
        if name.endswith("_at") and value is not None:
            yield from _instant(scene, f"{incident.id}.{name}", value, found)
        elif found != value:
            yield f"{incident.id}.{name}: expected {value!r}, found {found!r}"


def _instant(scene: Scene, what: str, wanted: str, found: float | None) -> Faults:
    offset = None if found is None else found - scene.start
    if offset is None or abs(offset - seconds(wanted)) > 0.001:
        yield f"{what}: expected +{wanted}, found {'never' if offset is None else f'+{offset:g}s'}"


def _incidents(scene: Scene, wanted: int, _number: int | None) -> Faults:
    if len(scene.incidents()) != wanted:
        yield f"incidents: expected {wanted}, found {len(scene.incidents())}"


def _pages(scene: Scene, wanted: Sequence[Any], number: int | None) -> Faults:
    """All pages of the incident, in order: persons, or `{to, at, status, level, round, on: [channels tried]}`."""
    incident = scene.incident(number)
    found = () if incident is None else incident.pages
    expected = [{"to": each} if isinstance(each, str) else each for each in wanted]
    if [p.person for p in found] != [each["to"] for each in expected]:
        yield f"pages: expected {[each['to'] for each in expected]}, found {[p.person for p in found]}"
        return
    for page, each in zip(found, expected, strict=True):
        yield from _page(scene, page, each)


def _page(scene: Scene, page: Page, wanted: Mapping[str, Any]) -> Faults:
    shown = {
        "to": page.person,
        "status": page.status.value,
        "level": page.level + 1,
        "round": page.round + 1,
        "on": [a.channel for a in page.attempts],
        "team": page.why.owner,
    }
    for name, value in wanted.items():
        if name == "at":
            yield from _instant(scene, f"page {page.number} to {page.person}", value, page.at)
        elif name not in shown:
            raise StoryError(f"a page has no {name!r}; known: at, {', '.join(shown)}")
        elif shown[name] != value:
            yield f"page {page.number} to {page.person}: {name}: expected {value!r}, found {shown[name]!r}"


def _arrived(scene: Scene, wanted: Mapping[str, int | Sequence[str]], _number: int | None) -> Faults:
    """Page messages that really came to a person on any channel: how many, or when each."""
    for person, value in wanted.items():
        times = sorted(
            at - scene.start
            for wire in scene.channels.values()
            for at, message in wire.arrived
            if message.kind == "page" and message.edit is None and message.address in _addresses(scene, person)
        )
        if isinstance(value, int):
            if len(times) != value:
                yield f"arrived at {person}: expected {value} pages, found {len(times)} (at {_offsets(times)})"
        elif [round(t, 3) for t in times] != [round(seconds(each), 3) for each in value]:
            yield f"arrived at {person}: expected pages at {list(value)}, found {_offsets(times)}"


def _addresses(scene: Scene, person: str) -> set[str]:
    return set(scene.settings.current.catalog.people[person].contacts.values())


def _offsets(times: Sequence[float]) -> str:
    return ", ".join(f"+{t:g}s" for t in times) or "never"


def _messages(scene: Scene, wanted: Sequence[Mapping[str, Any]], _number: int | None) -> Faults:
    """Messages as they stand: some message at `at` on `on` fits in everything that is said of it."""
    for each in wanted:
        channel = each.get("on", "slack")
        posted = scene.channels[channel].inner.at(scene.address(channel, each["at"]))
        wrong = [_unlike(p.message, each) for p in posted if p.message.kind == each.get("kind", p.message.kind)]
        if all(wrong):
            nearest = min(wrong, key=len, default=["there is none"])
            yield f"message at {each['at']} on {channel}: {'; '.join(nearest)}"


def _unlike(message: Message, wanted: Mapping[str, Any]) -> list[str]:
    text = "\n".join(
        [message.title, message.body, message.why, *message.facts, *(": ".join(f) for f in message.fields)]
    )
    found = []
    for part in _list(wanted.get("says", [])):
        if part not in text:
            found.append(f"says {part!r}, which is not in:\n{_indented(text)}")
    if "buttons" in wanted and [b.action for b in message.buttons] != wanted["buttons"]:
        found.append(f"buttons: expected {wanted['buttons']}, found {[b.action for b in message.buttons]}")
    if "resent" in wanted and message.resent != wanted["resent"]:
        found.append(f"resent: expected {wanted['resent']}, found {message.resent}")
    return found


def _said(scene: Scene, wanted: Any, number: int | None) -> Faults:
    """Lines in the thread of the incident's cards, in this order among others."""
    lines = [
        posted.message.title
        for wire in scene.channels.values()
        for posted in wire.inner.posted.values()
        if posted.message.kind == "say"
    ]
    yield from _in_order("said in the room", _list(wanted), lines)


def _timeline(scene: Scene, wanted: Any, number: int | None) -> Faults:
    """Parts of lines, in this order among others; or `{has: [...], lacks: [...]}`."""
    given = wanted if isinstance(wanted, dict) else {"has": _list(wanted)}
    lines = scene.timeline(number)
    yield from _in_order("timeline", _list(given.get("has", [])), lines)
    for part in _list(given.get("lacks", [])):
        for line in lines:
            if part in line:
                yield f"timeline: expected nothing of {part!r}, found {line!r}"


def _in_order(what: str, parts: Sequence[str], lines: Sequence[str]) -> Faults:
    rest = list(lines)
    for part in parts:
        place = next((i for i, line in enumerate(rest) if part in line), None)
        if place is None:
            later = "earlier, but not after the part before it" if any(part in line for line in lines) else "nowhere"
            yield f"{what}: expected {part!r}, found {later}"
            return
        rest = rest[place + 1 :]


def _route(scene: Scene, wanted: Mapping[str, Mapping[str, int]], _number: int | None) -> Faults:
    with scene.store.reading() as tx:
        for service, weights in wanted.items():
            known = scene.settings.current.catalog.services[service]
            route = tx.route(service)
            found = {known.primary: 100} if route is None else dict(route.weights)
            if found != weights:
                yield f"route of {service}: expected {dict(weights)}, found {found}"


def _runs(scene: Scene, wanted: Sequence[Mapping[str, Any]], _number: int | None) -> Faults:
    """All runs, the oldest first: `{runbook, status, steps: {id: status}, inputs: {name: value}}`."""
    with scene.store.reading() as tx:
        runs = list(reversed(tx.runs()))
    if [r.runbook for r in runs] != [each["runbook"] for each in wanted]:
        yield f"runs: expected {[each['runbook'] for each in wanted]}, found {[r.runbook for r in runs]}"
        return
    for run, each in zip(runs, wanted, strict=True):
        if "status" in each and run.status.value != each["status"]:
            yield f"run {run.id}: expected {each['status']}, found {run.status.value} ({run.reason})"
        steps = {step.id: step.status.value for step in run.steps}
        for step, status in each.get("steps", {}).items():
            if steps.get(step) != status:
                yield f"run {run.id}, step {step}: expected {status}, found {steps.get(step)}"
        for name, value in each.get("inputs", {}).items():
            if run.inputs.get(name) != value:
                yield f"run {run.id}, input {name}: expected {value!r}, found {run.inputs.get(name)!r}"


def _published(scene: Scene, wanted: Sequence[Mapping[str, Any]], _number: int | None) -> Faults:
    """What is on Kafka: the last record of a topic and key has these values."""
    for each in wanted:
        values = [v for topic, key, v in scene.publisher.published if topic == each["topic"] and key == each["key"]]
        last = values[-1] if values else {}
        what = f"published on {each['topic']} for {each['key']}"
        for name, value in each["has"].items():
            if last.get(name) != value:
                yield f"{what}: {name}: expected {value!r}, found {last.get(name)!r}"


def _queued(scene: Scene, wanted: int, _number: int | None) -> Faults:
    with scene.store.reading() as tx:
        found = tx.backlog()
    if found != wanted:
        yield f"queued effects: expected {wanted}, found {found}"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _indented(text: str) -> str:
    return "\n".join(f"        {line}" for line in text.splitlines())


WORDS: Mapping[str, Callable[[Scene, Any, int | None], Faults]] = {
    "incident": _incident,
    "incidents": _incidents,
    "pages": _pages,
    "arrived": _arrived,
    "messages": _messages,
    "said": _said,
    "timeline": _timeline,
    "route": _route,
    "runs": _runs,
    "published": _published,
    "queued": _queued,
}
"""Every word of `expect`, beside `of`."""
