"""Who is on call now, for the API and the page."""

from collections.abc import Iterator

from fireline.domain.configuration import Configuration
from fireline.domain.rota import who


def name_of(configuration: Configuration, person: str | None) -> str:
    """The person's name, or the id where the catalog has none."""
    found = configuration.catalog.people.get(person or "")
    return found.name if found is not None else (person or "")


def on_call(configuration: Configuration, now: float) -> Iterator[dict[str, object]]:
    """Each schedule with the person on call at `now`, why, until when and who is next; nobody is told as null."""
    for schedule in configuration.oncall.schedules.values():
        shift = who(schedule, now)
        if shift is None:
            yield {"schedule": schedule.id, "person": None, "name": "nobody"}
            continue
        yield {
            "schedule": schedule.id,
            "person": shift.person,
            "name": name_of(configuration, shift.person),
            "source": shift.source,
            "until": None if shift.until is None else shift.until.timestamp(),
            "next_person": shift.next_person,
        }
