"""A message in plain words: what every channel without a layout of its own shows, and how to answer without buttons."""

from collections.abc import Iterable, Mapping

from fireline.domain.clicks import subject_of
from fireline.domain.texts import clean, cut
from fireline.engine.outward import Button, Message

COLOURS: Mapping[str, int] = {"safety": 0x8E24AA, "outage": 0xD32F2F, "degraded": 0xF9A825, "notice": 0x1976D2}
"""Severities as 24-bit colours."""
RESOLVED = 0x2E7D32
OTHER = 0x607D8B

_INCIDENT_COMMANDS = {"acknowledge": "ack", "escalate": "escalate", "resolve": "resolve"}
_RUN_COMMANDS = {"approve": "approve", "reject": "reject"}


def one(text: str, limit: int = 1000) -> str:
    """`text` on one line, at most `limit` long."""
    return cut(clean(text, lines=False), limit)


def title(message: Message) -> str:
    """Its title on one line, marked when it may be a repetition; never empty."""
    return f"{one(message.title, 250) or 'Fireline'}{' (resent)' if message.resent else ''}"


def headline(message: Message) -> str:
    """The title with what it does not say itself of severity and status before it."""
    said = message.title.casefold()
    words = [one(word, 40) for word in (message.severity.upper(), message.status)]
    lead = " ".join(word for word in words if word and word.casefold() not in said)
    return f"[{lead}] {title(message)}" if lead else title(message)


def body(message: Message, limit: int = 4000) -> str:
    """What it says below its title, with line breaks."""
    return cut(clean(message.body), limit, note=True)


def fields(message: Message, most: int, label: int = 100, value: int = 1000) -> list[tuple[str, str]]:
    """Labels and values that fit; the last one says how many do not."""
    shown = [(one(name, label) or "-", one(text, value) or "-") for name, text in message.fields]
    if len(shown) <= most:
        return shown
    return [*shown[: most - 1], ("More", f"{len(shown) - most + 1} further fields are not shown")]


def facts(message: Message, most: int = 10) -> list[str]:
    """Its small print, as much as fits."""
    shown = [one(fact, 500) for fact in message.facts if clean(fact)]
    return shown if len(shown) <= most else [*shown[: most - 1], f"{len(shown) - most + 1} more lines are not shown"]


def why(message: Message) -> str:
    """Why it reached this person; empty when it says nothing of it."""
    return f"Why you: {one(message.why, 1500)}" if clean(message.why) else ""


def command(button: Button) -> str | None:
    """What to type instead of pressing `button`; None when there is no such command."""
    subject = subject_of(button.value)
    if subject is None:
        return None
    if subject.incident is not None and (verb := _INCIDENT_COMMANDS.get(button.action)):
        return f"fireline incidents {verb} INC-{subject.incident}"
    if subject.run is not None and (verb := _RUN_COMMANDS.get(button.action)):
        return f"fireline runs {verb} {subject.run} {one(subject.step)}".strip()
    return None


def answers(buttons: Iterable[Button]) -> list[tuple[str, str]]:
    """For each button that has a command, what it does and what to type."""
    return [(one(b.label, 75) or b.action, typed) for b in buttons if (typed := command(b))]


def colour(message: Message) -> int:
    """The colour of its severity, green once it is over."""
    return RESOLVED if message.status == "resolved" else COLOURS.get(message.severity, OTHER)


def last_shown(message: Message) -> dict[str, object]:
    """What to remember beside a reference where messages cannot be edited: what was said last."""
    return {"status": one(message.status, 100), "severity": one(message.severity, 100)}


def tells_nothing_new(message: Message) -> bool:
    """Whether an edit changes neither status nor severity.

    Where messages cannot be edited, such a change is not worth another message.
    """
    ref = message.edit.ref if message.edit is not None else {}
    return {name: ref.get(name) for name in ("status", "severity")} == last_shown(message)
