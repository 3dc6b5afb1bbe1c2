"""What a page shows that stands for further incidents as well: it lists them, and one press takes all."""

import json
from collections.abc import Sequence
from dataclasses import replace

from fireline.domain.incidents import Incident, Page, Status
from fireline.engine.outward import Button, Message


def listing(message: Message, incident: Incident, asked: Page, shown: Sequence[Incident], total: int) -> Message:
    """The message of a page with the further incidents that were folded into it: those `shown`, of `total`."""
    lines = [f"{_standing(each)} {each.id} {each.service}: {each.title}" for each in shown]
    more = total - len(shown)
    lines += [f"and {more} more: fireline incidents ls"] if more > 0 else []
    open_ = [each for each in shown if each.status is Status.TRIGGERED]
    return replace(
        message,
        title=f"{total + 1} incidents, the first: {message.title}",
        body="\n".join([message.body, f"{total} further incidents page you as well:", *lines]),
        buttons=_buttons(message, incident, asked, total, waiting=bool(open_) or more > 0),
    )


def _standing(incident: Incident) -> str:
    return incident.severity.upper() if incident.status is Status.TRIGGERED else incident.stands.upper()


def _buttons(message: Message, incident: Incident, asked: Page, total: int, *, waiting: bool) -> tuple[Button, ...]:
    others = tuple(
        replace(button, label=f"{button.label} {incident.id}")
        for button in message.buttons
        if button.action != "acknowledge"
    )
    taken = incident.acknowledged_by is not None or incident.status is Status.RESOLVED
    if taken and not waiting:
        return others
    value = {"incident": incident.number, "version": incident.version, "page": asked.number, "listed": total}
    return (Button("acknowledge", f"Acknowledge all {total + 1}", json.dumps(value), "primary"), *others)
