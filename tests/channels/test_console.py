"""The console channel: readable, answerable, and silent about what did not change."""

import io

from rich.console import Console as Terminal

from fireline.channels.console import Console, ConsoleSettings, _Standard
from fireline.domain.outcomes import Done, Failed
from fireline.engine.outward import Message, MessageRef
from tests.channels.messages import FixedClock, approval, card, page


class Screen:
    def __init__(self, *, colour: bool = False) -> None:
        self.out = io.StringIO()
        terminal = Terminal(file=self.out, width=200, force_terminal=colour, highlight=False)
        self.channel = Console(ConsoleSettings(), FixedClock(), terminal)

    async def show(self, message: Message) -> list[str]:
        """The lines that this message adds."""
        before = len(self.out.getvalue())
        outcome = await self.channel.deliver(message)
        assert isinstance(outcome, Done)
        return [line for line in self.out.getvalue()[before:].splitlines() if line.strip()]


def edited(message: Message, **changes: object) -> Message:
    return card(key="later", edit=MessageRef("console", message.address, {"key": message.key}), **changes)


async def test_a_page_says_who_what_why_and_how_to_answer() -> None:
    lines = await Screen().show(page(address="ann"))
    assert lines[0] == "PAGE to ann: [OUTAGE triggered] INC-7 p99 of fraud-scoring in eu is 2310 ms"
    text = "\n".join(lines)
    assert "Why you: fraud_latency -> fraud-scoring" in text
    assert "Acknowledge: fireline incidents ack INC-7" in text
    assert "Escalate: fireline incidents escalate INC-7" in text
    assert "Resolve: fireline incidents resolve INC-7" in text


async def test_an_approval_says_what_to_type() -> None:
    text = "\n".join(await Screen().show(approval()))
    assert "Approve: fireline runs approve 12 ask" in text
    assert "Reject: fireline runs reject 12 ask" in text


async def test_an_edit_is_one_line_of_change_and_nothing_when_nothing_changed() -> None:
    screen = Screen()
    await screen.show(card())
    assert await screen.show(edited(card())) == []
    [line] = await screen.show(edited(card(), status="acknowledged"))
    assert line == "  ~ INC-7 p99 of fraud-scoring in eu is 2310 ms: triggered -> acknowledged"
    assert await screen.show(edited(card(), status="acknowledged")) == []


async def test_an_edit_of_a_page_that_another_process_printed_does_not_ask_again() -> None:
    first = await Screen().show(card(kind="page"))
    assert any(line.startswith("PAGE to") for line in first)
    later = await Screen().show(edited(card(), kind="page", status="acknowledged", buttons=()))
    assert any(line.startswith("Page to") for line in later)
    assert not any(line.startswith("PAGE to") for line in later)


async def test_an_edit_of_what_another_process_printed_prints_it_whole() -> None:
    lines = await Screen().show(edited(card(), status="resolved", buttons=()))
    assert len(lines) > 3


async def test_a_line_of_the_thread_is_one_line() -> None:
    assert await Screen().show(Message("s", "say", "incidents", "Ann acknowledged")) == ["    Ann acknowledged"]


async def test_event_text_neither_colours_nor_moves_nor_marks_up_the_terminal() -> None:
    lines = await Screen().show(card(title="\x1b[2J\x1b]0;x\x07[red]a[/red]\rb", body="[/bold]"))
    text = "\n".join(lines)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[red]a[/red] b" in text
    assert "[/bold]" in text


async def test_colour_is_for_terminals() -> None:
    assert "\x1b[1;31m" in "\n".join(await Screen(colour=True).show(card()))
    assert "\x1b" not in "\n".join(await Screen().show(card()))


async def test_a_reader_that_went_away_is_an_outcome() -> None:
    class Gone(io.StringIO):
        def write(self, text: str, /) -> int:
            raise BrokenPipeError

    outcome = await Console(ConsoleSettings(), FixedClock(), _Standard(file=Gone())).deliver(card())
    assert isinstance(outcome, Failed)
