"""Messages as Slack payloads: pure, always valid, whatever the event text holds.

What came from events is escaped and never a mention, a link or markup that reaches beyond its own place; what does not
fit is cut where everyone can see it. `problems` holds the result against Slack's limits once more before it is sent.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block

from fireline.domain.clicks import ACTION_PREFIX
from fireline.domain.texts import clean, cut, length
from fireline.engine.outward import Button, Message

Json = dict[str, object]

_ICONS = {"safety": "🟣", "outage": "🔴", "degraded": "🟠", "notice": "🔵"}
_STATUS_ICONS = {"resolved": "✅", "acknowledged": "👀", "mitigated": "🩹"}
_STYLES = frozenset({"primary", "danger"})
_GUARD = "\u2060"
_MENTION = re.compile(r"@(?=here\b|channel\b|everyone\b|group\b)", re.IGNORECASE)
_GROUP = re.compile(r"S[A-Z0-9]{2,20}")
_ANGLE = re.compile(r"<(?=[!@#])")

TEXT_LIMIT, TITLE, BODY, WHY = 3000, 300, 2600, 600
LABEL, VALUE, FACT, MOST_FIELDS, MOST_FACTS, MOST_BUTTONS = 60, 240, 200, 20, 9, 10


@dataclass(frozen=True, slots=True)
class Rendered:
    """`text` is the notification and the fallback; `blocks` what is shown, empty when the text is all there is."""

    text: str
    blocks: tuple[Json, ...] = ()


def escaped(text: str) -> str:
    """`text` for a place where Slack reads markup: entities for `& < >`, and no mention of anyone."""
    safe = clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MENTION.sub("@" + _GUARD, safe)


def verbatim(text: str) -> str:
    """`text` for a place where Slack reads no markup; mentions are broken all the same."""
    return _MENTION.sub("@" + _GUARD, _ANGLE.sub("<" + _GUARD, clean(text)))


def _plain(text: str, limit: int, *, note: bool = False, empty: str = "–") -> Json:
    return {"type": "plain_text", "text": cut(text, limit, escape=verbatim, note=note) or empty, "emoji": False}


def _markup(text: str) -> Json:
    return {"type": "mrkdwn", "text": text or "–", "verbatim": True}


def _icon(message: Message) -> str:
    if message.kind == "approval":
        return "✋" if message.buttons else "☑"
    if message.kind == "say":
        return ""
    return _STATUS_ICONS.get(message.status) or _ICONS.get(message.severity, "🔔")


def _mark(message: Message) -> str:
    return " (resent)" if message.resent else ""


def _line(message: Message) -> str:
    """The title on one line, with its icon, never empty."""
    title = clean(message.title, lines=False) or "Fireline"
    return f"{_icon(message)} {title}".strip()


def standing(message: Message) -> tuple[str, ...]:
    """Severity and status, as far as the title does not say them already."""
    title = message.title.casefold()
    words = (clean(message.severity, lines=False).upper(), clean(message.status, lines=False))
    return tuple(word for word in words if word and word.casefold() not in title)


def fallback(message: Message) -> str:
    """The top-level text: what a notification shows and a screen reader reads, with the severity in words."""
    mark = _mark(message)
    extra = " · ".join(standing(message))
    head = cut(_line(message), TITLE, escape=escaped) + (f" [{cut(extra, 80, escape=escaped)}]" if extra else "")
    head = "".join(f"<!subteam^{group}> " for group in message.mentions[:5] if _GROUP.fullmatch(group)) + head
    room = TEXT_LIMIT - length(head) - length(mark) - 1
    body = cut(clean(message.body), min(BODY, room), escape=escaped, note=True)
    return f"{head}{mark}" + (f"\n{body}" if body else "")


def _header(message: Message) -> Iterable[Json]:
    mark, line = _mark(message), _line(message)
    text = cut(line, 150 - length(mark), escape=verbatim) + mark
    yield {"type": "header", "text": {"type": "plain_text", "text": text, "emoji": False}}
    if length(verbatim(line)) > 150 - length(mark):
        yield {"type": "section", "text": _plain(message.title, TITLE * 2, note=True)}


def _standing(message: Message) -> Iterable[Json]:
    told = {value.casefold() for _, value in message.fields}
    words = [cut(word, LABEL, escape=escaped) for word in standing(message) if word.casefold() not in told]
    if words:
        yield {"type": "context", "elements": [_markup(" · ".join(f"*{word}*" for word in words))]}


def _body(message: Message) -> Iterable[Json]:
    if clean(message.body):
        yield {"type": "section", "text": _plain(message.body, BODY, note=True)}


def _fields(message: Message) -> Iterable[Json]:
    cells = [
        _markup(f"*{cut(label, LABEL, escape=escaped) or '–'}*\n{cut(value, VALUE, escape=escaped) or '–'}")
        for label, value in message.fields[:MOST_FIELDS]
    ]
    for start in range(0, len(cells), 10):
        yield {"type": "section", "fields": cells[start : start + 10]}


def _why(message: Message) -> Iterable[Json]:
    if clean(message.why):
        yield {"type": "section", "text": _plain(f"Why you: {clean(message.why)}", WHY, note=True)}


def _facts(message: Message, dropped: Sequence[str]) -> Iterable[Json]:
    facts = [fact for fact in message.facts if clean(fact)]
    left_out = len(message.fields) - MOST_FIELDS
    notes = list(dropped)
    if left_out > 0:
        notes.append(f"{left_out} more fields are not shown")
    room = MOST_FACTS - len(notes)
    if len(facts) > room:
        notes.append(f"{len(facts) - room + 1} more lines are not shown")
        facts = facts[: room - 1]
    if facts or notes:
        yield {"type": "context", "elements": [_plain(text, FACT) for text in (*facts, *notes)]}


def _button(button: Button, action_id: str) -> Json:
    element: Json = {
        "type": "button",
        "action_id": action_id,
        "text": _plain(clean(button.label, lines=False), 75, empty=button.action[:75] or "Go"),
        "value": button.value,
    }
    if button.style in _STYLES:
        element["style"] = button.style
    if clean(button.confirm):
        element["confirm"] = {
            "title": _plain("Are you sure?", 100),
            "text": _plain(button.confirm, 300),
            "confirm": _plain(clean(button.label, lines=False), 30, empty="Yes"),
            "deny": _plain("Cancel", 30),
        }
    return element


def _action_ids(buttons: Iterable[Button]) -> Iterable[tuple[Button, str]]:
    """Each button with an `action_id` of its own: a second one of the same action is numbered."""
    seen: dict[str, int] = {}
    for button in buttons:
        seen[button.action] = seen.get(button.action, 0) + 1
        number = seen[button.action]
        yield button, f"{ACTION_PREFIX}{button.action}" + (f":{number}" if number > 1 else "")


def _usable(button: Button) -> bool:
    return 0 < length(button.value) <= 2000 and length(button.action) <= 100 and clean(button.value) == button.value


def _actions(buttons: Sequence[Button]) -> Iterable[Json]:
    if buttons:
        elements = [_button(button, action_id) for button, action_id in _action_ids(buttons)]
        yield {"type": "actions", "elements": elements}


def render(message: Message) -> Rendered:
    """`message` as Slack's text and blocks; a plain line in a thread stays text alone."""
    text = fallback(message)
    if message.kind == "say" and not (message.fields or message.facts or message.buttons):
        return Rendered(text)
    closed = message.status == "resolved" and message.kind != "approval"
    wanted = () if closed else message.buttons
    buttons = tuple(islice((button for button in wanted if _usable(button)), MOST_BUTTONS))
    dropped = [f"{len(wanted) - len(buttons)} more actions: use the command line"] if len(wanted) > len(buttons) else []
    blocks = (
        *_header(message),
        *_standing(message),
        *_body(message),
        *_fields(message),
        *_why(message),
        *_facts(message, dropped),
        *_actions(buttons),
    )
    return Rendered(text) if problems(blocks) else Rendered(text, blocks)


def problems(blocks: Sequence[Mapping[str, object]]) -> list[str]:
    """What Slack would refuse about `blocks`, in words; empty when it would take them."""
    found = ["more than 50 blocks"] if len(blocks) > 50 else []
    ids: list[object] = []
    for block in blocks:
        try:
            parsed = Block.parse(dict(block))
            if parsed is None:
                found.append(f"unknown block type {block.get('type')!r}")
                continue
            parsed.validate_json()
        except (SlackObjectFormationError, TypeError, ValueError) as fault:
            found.append(str(fault))
        found.extend(_text_problems(block))
        elements = block.get("elements")
        ids += [e.get("action_id") for e in elements if "action_id" in e] if isinstance(elements, list) else []
        found.extend(_button_problems(block))
    if len(ids) != len(set(ids)):
        found.append("an action_id is there twice")
    return found


def _text_problems(block: Mapping[str, object]) -> Iterable[str]:
    limits = {"header": 150, "section": 3000}
    text = block.get("text")
    if isinstance(text, dict) and not 0 < length(text["text"]) <= limits.get(str(block.get("type")), 3000):
        yield f"the text of a {block.get('type')} is empty or too long"
    fields = block.get("fields")
    for field in fields if isinstance(fields, list) else ():
        if not 0 < length(field["text"]) <= 2000:
            yield "a field is empty or longer than 2000"


def _button_problems(block: Mapping[str, object]) -> Iterable[str]:
    elements = block.get("elements")
    for element in elements if isinstance(elements, list) else ():
        if element.get("type") != "button":
            if not 0 < length(element.get("text", "-")) <= 3000:
                yield "a line of small print is empty or too long"
            continue
        if not 0 < length(element["text"]["text"]) <= 75:
            yield "the label of a button is empty or longer than 75"
        if length(element.get("value", "")) > 2000:
            yield "the value of a button is longer than 2000"
        if length(element["action_id"]) > 255:
            yield "an action_id is longer than 255"
