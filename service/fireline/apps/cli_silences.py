"""`fireline silence`: keep something from paging for a while, see what does, look before, end it."""

import importlib
from typing import Annotated

import typer

from fireline.apps.silence_asked import Asked

app = typer.Typer(
    no_args_is_help=True,
    help="Keep something from paging for a while: incidents open all the same, and page when the silence ends.\n\n"
    'What it is about is written as in Prometheus: [bold]service="checkout" severity=~"degraded|notice"[/bold]. '
    "All matchers must fit. Labels are those of the rule's entity, and service, rule, severity and owner.",
)

MatchersArgument = Annotated[
    list[str], typer.Argument(help="Matchers such as 'service=\"checkout\"'; = != =~ !~, all of them must fit")
]
NameArgument = Annotated[str, typer.Argument(help="A silence, such as S-3, or the name of a maintenance")]
AsOption = Annotated[
    str | None, typer.Option("--as", help="Who you are in the catalog; your system user name otherwise")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON")]
ForOption = Annotated[str | None, typer.Option("--for", help="How long, such as 2h; of one that repeats, each time")]
StartOption = Annotated[
    str | None, typer.Option(help="From when on, such as 2026-11-22T02:00 (your time zone) or with an offset; now")
]
EndOption = Annotated[str | None, typer.Option(help="Until when; one that repeats needs it")]
ReasonOption = Annotated[str | None, typer.Option(help="Why: told on every incident that is held back")]
RepeatsOption = Annotated[str | None, typer.Option(help="An RRULE of RFC 5545, such as FREQ=WEEKLY;BYDAY=SU")]
ZoneOption = Annotated[str | None, typer.Option("--time-zone", help="Of times without an offset; yours by itself")]
WithoutOption = Annotated[list[str] | None, typer.Option(help="A day on which it does not begin; may be repeated")]
ResolvesOption = Annotated[str | None, typer.Option(help="pass: the end of a silenced incident is said; hold: not")]
SafetyOption = Annotated[
    bool | None, typer.Option("--safety/--no-safety", help="Hold back severity safety as well: nothing else does")
]
DaysOption = Annotated[int, typer.Option(min=1, max=366, help="Days of pages to look back on")]


def _work(name: str, *given: object) -> None:
    raise typer.Exit(getattr(importlib.import_module("fireline.apps.silences"), name)(*given))


@app.command("add")
def add(  # noqa: PLR0917 - typer turns each parameter into an option
    matchers: MatchersArgument,
    reason: ReasonOption = None,
    lasts: ForOption = None,
    start: StartOption = None,
    end: EndOption = None,
    repeats: RepeatsOption = None,
    time_zone: ZoneOption = None,
    without: WithoutOption = None,
    resolves: ResolvesOption = None,
    safety: SafetyOption = None,
    comment: Annotated[str, typer.Option(help="More about it, for its thread")] = "",
    person: AsOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before it is made")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a silence. What it would hold back is shown first, and on a terminal you are asked."""
    asked = Asked(
        matchers=", ".join(matchers),
        reason=reason,
        start=start,
        end=end,
        lasts=lasts,
        repeats=repeats,
        time_zone=time_zone,
        without=tuple(without or ()),
        resolves=resolves,
        safety=safety,
        comment=comment,
    )
    _work("add", asked, person, yes, as_json)


@app.command("preview")
def preview(
    matchers: MatchersArgument,
    days: DaysOption = 14,
    safety: SafetyOption = None,
    as_json: JsonOption = False,
) -> None:
    """See what matchers hold back now, and which pages of the last days they would have. Nothing is made."""
    _work("show_preview", ", ".join(matchers), bool(safety), days, as_json)


@app.command("ls")
def ls(
    everything: Annotated[bool, typer.Option("--all", help="Those that are over as well")] = False,
    as_json: JsonOption = False,
) -> None:
    """List silences, planned ones too: whether each holds now, until when, whose it is, and why."""
    _work("ls", everything, as_json)


@app.command("show")
def show(silence: NameArgument, as_json: JsonOption = False) -> None:
    """Show one silence whole: its coming windows, what it holds back now, its thread and its history."""
    _work("show", silence, as_json)


@app.command("end")
def end(silence: NameArgument, person: AsOption = None) -> None:
    """End a silence now: what still fires pages at once."""
    _work("end", silence, person)


@app.command("edit")
def edit(  # noqa: PLR0917 - typer turns each parameter into an option
    silence: NameArgument,
    matchers: Annotated[list[str] | None, typer.Argument(help="Other matchers, in place of all it has")] = None,
    reason: ReasonOption = None,
    lasts: Annotated[str | None, typer.Option("--for", help="So long from now on (or from --start on)")] = None,
    start: StartOption = None,
    end: EndOption = None,
    repeats: RepeatsOption = None,
    time_zone: ZoneOption = None,
    without: WithoutOption = None,
    resolves: ResolvesOption = None,
    safety: SafetyOption = None,
    person: AsOption = None,
) -> None:
    """Change a silence; what is not named stays. Its history keeps what was."""
    asked = Asked(
        matchers=", ".join(matchers) if matchers else None,
        reason=reason,
        start=start,
        end=end,
        lasts=lasts,
        repeats=repeats,
        time_zone=time_zone,
        without=tuple(without or ()),
        resolves=resolves,
        safety=safety,
    )
    _work("edit", silence, asked, person)


@app.command("comment")
def comment(
    silence: NameArgument, text: Annotated[str, typer.Argument(help="What to say")], person: AsOption = None
) -> None:
    """Say something in the thread of a silence."""
    _work("comment", silence, text, person)
