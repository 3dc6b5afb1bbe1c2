"""console: pages and cards as readable text on standard output; what is used until Slack is switched on.

In colour on a terminal, plain in a pipe or a log. Each message says how to answer it on the command line
(`fireline incidents ack INC-7`). An edit prints one line that says what changed, and nothing when nothing did.
Addresses are free text: `contacts: {console: ann}`, `channels: {console: incidents}`.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, Field
from rich.console import Console as Terminal
from rich.text import Text

from fireline.channels.kind import ChannelKind
from fireline.channels.plain import command
from fireline.domain.outcomes import Done, Failed, Outcome
from fireline.domain.texts import clean, cut
from fireline.engine.outward import Button, Message
from fireline.engine.ports import Clock

EXAMPLE = """
width: 100
"""

_COLOURS = {"safety": "bold magenta", "outage": "bold red", "degraded": "bold yellow", "notice": "bold blue"}
_REMEMBERED = 1000


class ConsoleSettings(BaseModel):
    """How wide lines are, in characters; None for the terminal's own width."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: int | None = Field(None, description="characters of a line; the terminal's own when left out")


class _Standard(Terminal):
    """Standard output whose reader may go away without ending the process."""

    def on_broken_pipe(self) -> None:
        """Say so to the caller, who sees an outcome, instead of leaving."""
        raise BrokenPipeError("nobody reads standard output any more")


class Console:
    """Writes messages to standard output, or to `terminal` when one is given."""

    name = "console"

    def __init__(self, settings: ConsoleSettings, clock: Clock, terminal: Terminal | None = None) -> None:
        self._clock = clock
        self._terminal = terminal or _Standard(width=settings.width, highlight=False, soft_wrap=settings.width is None)
        self._shown: OrderedDict[str, Message] = OrderedDict()
        self._turn = asyncio.Lock()

    async def deliver(self, message: Message) -> Outcome:
        """Print it; the reference is the key it was first printed under."""
        edited = message.edit.ref.get("key") if message.edit else None
        key = edited if isinstance(edited, str) else message.key
        async with self._turn:
            known = self._shown.get(key) if edited else None
            try:
                await asyncio.to_thread(self._print, changed(known, message) if known else told(message))
            except (OSError, ValueError) as fault:
                return Failed(f"nothing can be written to the console: {fault}")
            self._remember(key, message)
        return Done({"key": key})

    async def close(self) -> None:
        """Nothing is held."""

    def _print(self, lines: Iterable[Text]) -> None:
        for line in lines:
            self._terminal.print(line)

    def _remember(self, key: str, message: Message) -> None:
        self._shown[key] = message
        self._shown.move_to_end(key)
        if len(self._shown) > _REMEMBERED:
            self._shown.popitem(last=False)


def told(message: Message) -> list[Text]:
    """The whole message as lines."""
    if message.kind == "say":
        body = f": {_one(message.body)}" if clean(message.body) else ""
        return [Text(f"    {_title(message)}{body}{_mark(message)}", style="dim")]
    lines = [Text(""), _headline(message)]
    lines += [Text(f"    {line}") for line in cut(clean(message.body), 4000, note=True).splitlines()]
    lines += [Text(f"    {_one(label)}: {_one(value)}") for label, value in message.fields]
    if clean(message.why):
        lines.append(Text(f"    Why you: {_one(message.why)}"))
    lines += [Text(f"    {_one(fact)}", style="dim") for fact in message.facts]
    return lines + list(_answers(message.buttons))


def changed(before: Message, after: Message) -> list[Text]:
    """One line about what changed since the message was last printed; none when nothing did."""
    changes = []
    if after.title != before.title:
        changes.append(_title(after))
    if after.severity != before.severity:
        changes.append(f"{before.severity or 'no severity'} -> {after.severity or 'no severity'}")
    if after.status != before.status:
        changes.append(f"{before.status or 'new'} -> {after.status or 'new'}")
    known = dict(before.fields)
    changes += [f"{_one(label)}: {_one(value)}" for label, value in after.fields if known.get(label) != value]
    if after.body != before.body:
        changes.append(_one(after.body))
    if not changes:
        return []
    subject = "" if after.title != before.title else f"{_title(after)}: "
    return [Text(f"  ~ {subject}{', '.join(changes)}", style=_COLOURS.get(after.severity, ""))]


def _answers(buttons: Iterable[Button]) -> Iterable[Text]:
    for button in buttons:
        if typed := command(button):
            yield Text(f"    {_one(button.label)}: ", style="dim") + Text(typed, style="bold")


def _headline(message: Message) -> Text:
    # a page that another process printed is not asked again: it says what became of it
    asked = "PAGE" if message.edit is None else "Page"
    kind = {"page": f"{asked} to {_one(message.address)}", "approval": f"APPROVAL asked of {_one(message.address)}"}
    title = message.title.casefold()
    words = [w for w in (message.severity.upper(), message.status) if w and w.casefold() not in title]
    lead = f"[{_one(' '.join(words))}] " if words else ""
    head = f"{kind[message.kind]}: " if message.kind in kind else ""
    style = _COLOURS.get(message.severity, "bold")
    return Text(f"{head}{lead}{_title(message)}{_mark(message)}", style=style)


def _mark(message: Message) -> str:
    return " (resent)" if message.resent else ""


def _one(text: str) -> str:
    return cut(clean(text, lines=False), 1000)


def _title(message: Message) -> str:
    return _one(message.title) or "Fireline"


KIND = ChannelKind(ConsoleSettings, lambda given, means: Console(given, means.clock), __doc__ or "", EXAMPLE)
