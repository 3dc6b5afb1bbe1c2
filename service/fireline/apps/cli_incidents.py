"""`fireline incidents`: see what is open, take it, hand it on, sort it out, close it."""

import importlib
from dataclasses import dataclass
from typing import Annotated, Literal

import typer

app = typer.Typer(
    no_args_is_help=True,
    help="See incidents, acknowledge, escalate, resolve, note; severity, merge, split; roles, links, tasks; "
    "post-mortem, close. An act that is refused says why and exits with 1.",
)

NumberArgument = Annotated[str, typer.Argument(help="An incident, such as INC-7 or 7")]
AsOption = Annotated[
    str | None, typer.Option("--as", help="Who you are in the catalog; your system user name otherwise")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON")]
SeenOption = Annotated[
    int | None,
    typer.Option(
        "--seen", min=0, help="The version you looked at (`show` prints it): refused if something happened since"
    ),
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the timeline")]


@dataclass(frozen=True, slots=True)
class _Asked:
    """As whom an act is asked for, how it is answered, and what was seen."""

    person: str | None
    as_json: bool
    seen: int | None = None


def _do(kind: str, incident: str, asked: _Asked, *given: object) -> None:
    acts = importlib.import_module("fireline.apps.incident_acts")  # late, so that --help is fast
    raise typer.Exit(getattr(acts, kind)(acts.Asked(incident, asked.person, asked.as_json, asked.seen), *given))


@app.command("ls")
def ls(
    everything: Annotated[bool, typer.Option("--all", help="Resolved ones too")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, newest first")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List open incidents: severity, status, who is on it, since when."""
    raise typer.Exit(importlib.import_module("fireline.apps.incidents").ls(everything, limit, as_json))


@app.command("show")
def show(incident: NumberArgument, as_json: JsonOption = False) -> None:
    """Show one incident: signals with evidence, pages with their reasons, runs, roles, tasks, links, the timeline."""
    raise typer.Exit(importlib.import_module("fireline.apps.incidents").show(incident, as_json))


@app.command("ack")
def ack(
    incident: NumberArgument, person: AsOption = None, seen: SeenOption = None, as_json: JsonOption = False
) -> None:
    """Say "I am on it": escalation stops, queued pages are withdrawn."""
    _do("acknowledge", incident, _Asked(person, as_json, seen))


@app.command("escalate")
def escalate(
    incident: NumberArgument, person: AsOption = None, seen: SeenOption = None, as_json: JsonOption = False
) -> None:
    """Ask the next level of the escalation policy now."""
    _do("escalate", incident, _Asked(person, as_json, seen))


@app.command("resolve")
def resolve(
    incident: NumberArgument, person: AsOption = None, seen: SeenOption = None, as_json: JsonOption = False
) -> None:
    """Say that it is over; you are told what still fires.

    `response: {resolve_while_firing: refuse}` in severities.yaml has it refused while something does.
    """
    _do("resolve", incident, _Asked(person, as_json, seen))


@app.command("note")
def note(
    incident: NumberArgument,
    text: Annotated[str, typer.Argument(help="What to write down")],
    person: AsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write something down on the timeline."""
    _do("note", incident, _Asked(person, as_json), text)


@app.command("severity")
def severity(
    incident: NumberArgument,
    level: Annotated[str, typer.Argument(help="A severity of severities.yaml, or `auto`: what the signals say")],
    *,
    reason: ReasonOption = "",
    person: AsOption = None,
    seen: SeenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set the severity by hand. It stays, whatever fires, until somebody sets `auto`; raising it pages again."""
    _do("severity", incident, _Asked(person, as_json, seen), level, reason)


@app.command("merge")
def merge(
    incident: NumberArgument,
    into: Annotated[str, typer.Option("--into", help="The incident that goes on, such as INC-7")],
    *,
    reason: ReasonOption = "",
    person: AsOption = None,
    seen: SeenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make INCIDENT part of another: signals, runs, fallbacks, tasks go there, its pages stop, later signals follow."""
    _do("merge", incident, _Asked(person, as_json, seen), into, reason)


@app.command("split")
def split(
    incident: NumberArgument,
    signal: Annotated[list[str], typer.Option("--signal", help="A rule, or a signal as `show` names it; repeatable")],
    *,
    reason: ReasonOption = "",
    person: AsOption = None,
    seen: SeenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an incident of its own of some signals; its owner's policy says who is paged for it."""
    _do("split", incident, _Asked(person, as_json, seen), signal, reason)


@app.command("role")
def role(
    incident: NumberArgument,
    name: Annotated[Literal["commander", "responder"], typer.Argument(help="One commander leads; responders work")],
    holder: Annotated[str, typer.Argument(help="A person of the catalog")],
    *,
    remove: Annotated[bool, typer.Option("--remove", help="Take the role back")] = False,
    person: AsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say who leads and who works on it. A new commander takes the old one's place."""
    _do("role", incident, _Asked(person, as_json), name, holder, not remove)


@app.command("link")
def link(
    incident: NumberArgument,
    url: Annotated[str, typer.Argument(help="https://host/path")],
    *,
    title: Annotated[str, typer.Option("--title", help="What is there")] = "",
    person: AsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a page elsewhere beside the incident: a dashboard, a call, a change."""
    _do("link", incident, _Asked(person, as_json), url, title)


@app.command("task")
def task(
    incident: NumberArgument,
    text: Annotated[str | None, typer.Argument(help="A new task; without it and NUMBER, tasks are listed")] = None,
    *,
    number: Annotated[int | None, typer.Option("--number", "-n", min=1, help="A task to change")] = None,
    done: Annotated[bool | None, typer.Option("--done/--open", help="Whether it is done")] = None,
    assignee: Annotated[str | None, typer.Option("--for", help="Whose it is, a person of the catalog")] = None,
    person: AsOption = None,
    as_json: JsonOption = False,
) -> None:
    """List tasks, add one (TEXT), or change one (--number 2 --done). Open tasks do not keep an incident open."""
    if text is not None and number is not None:
        raise typer.BadParameter("a new task (TEXT) or a known one (--number), not both")
    if text is not None:
        _do("add_task", incident, _Asked(person, as_json), text, assignee)
    if number is not None:
        _do("change_task", incident, _Asked(person, as_json), number, done, assignee)
    if done is not None or assignee is not None:
        raise typer.BadParameter("--done, --open and --for need a TEXT or a --number")
    raise typer.Exit(importlib.import_module("fireline.apps.incident_acts").tasks(incident, as_json))


@app.command("postmortem")
def postmortem(
    incident: NumberArgument,
    *,
    cause: Annotated[str | None, typer.Option("--root-cause", help="What it came from")] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Who sees to what follows, of the catalog")] = None,
    due: Annotated[str | None, typer.Option("--due", help="Until which day: YYYY-MM-DD")] = None,
    html: Annotated[str | None, typer.Option("--html", help="Write the draft with charts to this file")] = None,
    person: AsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a draft from the timeline (Markdown, or HTML with charts), or write what closing requires.

    A severity with `postmortem: true` needs a root cause, an owner and a due date before `close`.
    """
    if cause is not None or owner is not None or due is not None:
        if html is not None:
            raise typer.BadParameter("write parts first, then print the draft with --html")
        _do("write_postmortem", incident, _Asked(person, as_json), cause, owner, due)
    raise typer.Exit(importlib.import_module("fireline.apps.postmortem").draft(incident, html, as_json))


@app.command("close")
def close(
    incident: NumberArgument, person: AsOption = None, seen: SeenOption = None, as_json: JsonOption = False
) -> None:
    """Close a resolved incident for good: nothing opens it again, what fires later is a new one."""
    _do("close", incident, _Asked(person, as_json, seen))
