"""Working out again why a page reached its person: from the facts kept with it, and from the files as they are now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import TypeAdapter, ValidationError

from fireline.apps.output import instant
from fireline.domain.configuration import Configuration
from fireline.domain.deciding_world import World
from fireline.domain.incidents import Entry, Incident, Page
from fireline.domain.oncall import Schedule
from fireline.domain.page_facts import Answer, again, answer_of, differences
from fireline.engine.ports import Transaction
from fireline.engine.roster import rostered

_SCHEDULE = TypeAdapter(Schedule)


@dataclass(frozen=True, slots=True)
class Checked:
    """`configuration` was in force then; `kept` says what the kept facts come to, `now` what the files of now do."""

    configuration: str
    channels: tuple[str, ...]
    same: bool | None  # None: there is nothing to work it out from
    kept: str
    now: str


def world_now(configuration: Configuration, tx: Transaction, at: float) -> World:
    """What decisions look at under the files of now, with the overrides that count beyond `at`."""
    world = World.of(configuration)
    return replace(world, oncall=rostered(world.oncall, tx, at))


def checked(incident: Incident, page: Page, timeline: Sequence[Entry], world: World | None) -> Checked:
    """Work a page out again; `world` is of the files of now, None while they are broken."""
    facts = _facts(page, timeline)
    now = "the files of now cannot be read" if world is None else _today(incident, page, world)
    if facts is None:
        text = "nothing was kept with this page: it is from before pages kept their facts"
        return Checked("", (), None, text, now)
    same, kept = _kept(page, facts)
    channels = facts.get("channels")
    held = tuple(map(str, channels)) if isinstance(channels, list | tuple) else ()
    return Checked(str(facts.get("configuration", "")), held, same, kept, now)


def _facts(page: Page, timeline: Sequence[Entry]) -> Mapping[str, object] | None:
    for entry in timeline:
        found = entry.data.get("facts")
        if entry.data.get("page") == page.number and isinstance(found, Mapping):
            return found
    return None


def _kept(page: Page, facts: Mapping[str, object]) -> tuple[bool | None, str]:
    target, held = str(facts.get("target", "")), facts.get("schedule")
    said = answer_of(page.person, page.why)
    if not isinstance(held, Mapping):
        return True, f"the policy names {target}, which needs no working out"
    try:
        found = again(target, _SCHEDULE.validate_python(held), page.at)
    except ValidationError as fault:
        return None, f"the kept schedule cannot be read by this version: {fault.error_count()} faults"
    if found == said:
        return True, f"the kept schedule {held.get('id')} says the same: {_words(said)}"
    return False, f"the kept schedule {held.get('id')} says {_words(found)}; the page says {_words(said)}"


def _words(answer: Answer | None) -> str:
    if answer is None:
        return "nobody"
    until = f" until {instant(answer.until)}" if answer.until else ""
    after = f", then {answer.next_person}" if answer.next_person else ""
    return f"{answer.person} by {answer.source}{until}{after}"


def _today(incident: Incident, page: Page, world: World) -> str:
    found = differences(incident, page.person, page.why, world, page.at)
    which = f"the files of now (configuration {world.configuration[:12]})"
    return f"{which} would say otherwise: {'; '.join(found)}" if found else f"{which} say the same"


def lines(found: Checked) -> list[str]:
    """For people, below the chain of a page."""
    held = found.configuration[:12] or "unknown"
    return [
        f"  decided    under configuration {held}"
        + (f", reachable on {', '.join(found.channels)}" * bool(found.channels)),
        f"  again      {found.kept}",
        f"  today      {found.now}",
    ]
