"""The work behind `fireline stop`."""

from fireline.apps.bootstrap import assemble, look, settings_with
from fireline.apps.faults import Refused
from fireline.apps.output import ago, instant, print_json, say, table
from fireline.apps.web_stops import stop_json
from fireline.domain.stops import Asked
from fireline.engine.stops import Switch

VIA = "command line"


def pull(service: str, reason: str, let_undo: bool, person: str | None) -> int:
    """Pull the switch; 1 when it is pulled already."""
    if not 3 <= len(reason.strip()) <= 1000:
        raise Refused("say why with --reason, in 3 to 1000 characters: everybody who meets a held run reads it")
    parts = assemble(settings_with())
    switch = Switch(parts.store, parts.files, parts.clock, parts.responder.configured)
    answer = switch.pull(Asked(service, parts.person(person).id, reason.strip(), VIA, let_undo))
    say(answer.text)
    return 0 if answer.done else 1


def lift(service: str, reason: str, person: str | None) -> int:
    """Lift it; 1 when it is not pulled."""
    parts = assemble(settings_with())
    switch = Switch(parts.store, parts.files, parts.clock, parts.responder.configured)
    answer = switch.lift(Asked(service, parts.person(person).id, reason.strip(), VIA))
    say(answer.text)
    return 0 if answer.done else 1


def ls(everything: bool, as_json: bool) -> int:
    """What is stopped."""
    parts = look(settings_with())
    with parts.store.reading() as tx:
        stops = tx.stops(pulled_only=not everything)
    if as_json:
        print_json([stop_json(stop) for stop in stops])
        return 0
    now = parts.clock.now()
    rows = [
        (
            stop.scope,
            "pulled" if stop.pulled else f"lifted {instant(stop.lifted_at)} by {stop.lifted_by}",
            f"{stop.name or stop.by} via {stop.via}",
            ago(stop.at, now),
            "goes on" if stop.let_undo else "waits",
            stop.reason,
        )
        for stop in stops
    ]
    table(("what", "state", "by", "since", "undoing", "why"), rows, "Nothing is stopped.")
    return 0
