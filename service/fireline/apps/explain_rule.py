"""`fireline explain RULE`: what a rule sees of an entity, what each level makes of it, who was paged, or why nobody.

The windows are those of the last checkpoint, which is some seconds old; they hold no more than the rule looks back.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fireline.adapters.kafka_topics import PARTIALS
from fireline.apps.bootstrap import Parts, assemble, settings_with
from fireline.apps.explain_condition import drawn, part_json
from fireline.apps.faults import Refused
from fireline.apps.oncall import instant_of
from fireline.apps.output import ago, instant, print_json, say
from fireline.domain.incidents import Incident
from fireline.domain.judging import late_share, names_of, tell_level
from fireline.domain.rules import Entity, Level, Mode, Rule
from fireline.engine.evaluate import Evaluation
from fireline.engine.looking import Look
from fireline.engine.partials import LIVE
from fireline.measures import FAMILIES
from fireline.spec.explaining import Part, explained
from fireline.spec.findings import suggestion

_MOST = 20
"""Entities that are shown when none is named."""
_HISTORY = 200
"""Incidents that are searched for what was told of an entity."""


@dataclass(frozen=True, slots=True)
class LevelLook:
    """One level of the rule: whether it holds, why, since when, and its condition part by part."""

    level: Level
    holds: bool | None
    why: str
    since: float | None
    firing: bool
    part: Part


@dataclass(frozen=True, slots=True)
class EntityLook:
    """One entity: what its window shows, its levels, and the incidents that its signals are attached to."""

    look: Look
    levels: tuple[LevelLook, ...]
    incidents: tuple[Incident, ...]


def run(name: str, *, entity: Sequence[str], at: str | None, as_json: bool) -> int:
    """Explain a rule. Raises `Refused` for a rule or an entity that nothing is known of."""
    parts = assemble(settings_with())
    rule = parts.files.current.rules.get(name)
    if rule is None:
        hint = suggestion(name, parts.files.current.rules)
        raise Refused(f"there is no rule {name!r}" + (f"; {hint}" if hint else ""))
    wanted = _labels(entity, rule)
    now = parts.clock.now()
    moment = now if at is None else instant_of(at)
    found = list(_found(parts, rule, wanted, moment))
    if as_json:
        print_json({"rule": rule.name, "at": moment, "entities": [_document(each, moment) for each in found]})
        return 0
    _say_rule(rule)
    if not found:
        say(_nothing(rule, wanted))
    for each in found[:_MOST]:
        _say_entity(each, moment, now)
    if len(found) > _MOST:
        say(f"... and {len(found) - _MOST} more entities; name one with --entity {rule.by[0]}=...")
    return 0


def _labels(given: Sequence[str], rule: Rule) -> dict[str, str]:
    labels: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or name not in rule.by:
            known = ", ".join(f"{label}=..." for label in rule.by) or "no labels at all"
            raise Refused(f"--entity {each[:60]!r} is no label of {rule.name}; expected {known}")
        labels[name] = value
    return labels


def _found(parts: Parts, rule: Rule, wanted: Mapping[str, str], at: float) -> Iterator[EntityLook]:
    evaluation = Evaluation([rule], FAMILIES)
    with parts.store.reading() as tx:
        for kept in tx.checkpoints_with(PARTIALS, f'["{LIVE}","{rule.name}",'):
            evaluation.restore(kept.windows, kept.header)
        incidents = list(tx.incidents(limit=_HISTORY))
    for look in sorted(evaluation.looks(rule.name, at), key=lambda look: look.state.entity):
        labels = dict(look.state.entity)
        if all(labels.get(name) == value for name, value in wanted.items()):
            about = tuple(each for each in incidents if _speaks_of(each, rule, look.state.entity))
            yield EntityLook(look, tuple(_level(look, level) for level in look.rule.levels), about)


def _speaks_of(incident: Incident, rule: Rule, entity: Entity) -> bool:
    told = (attached.signal for attached in incident.signals.values())
    return any((signal.rule, signal.entity) == (rule.name, entity) for signal in told)


def _level(look: Look, level: Level) -> LevelLook:
    values = names_of(look.state.entity, look.reading)
    told = tell_level(level, values, look.reading.samples, level.min_samples)
    held = look.state.levels.get(level.severity)
    since, firing = (held.since, held.firing) if held is not None else (None, False)
    return LevelLook(level, told.holds, told.why, since, firing, explained(level.when.source, values))


def _nothing(rule: Rule, wanted: Mapping[str, str]) -> str:
    which = ", ".join(f"{name}={value}" for name, value in wanted.items())
    what = f"Nothing is known of {which}" if which else "No entity is known"
    return f"{what}: no event that fits `where` came within the last {rule.window:g} s, or it is not saved yet."


def _say_rule(rule: Rule) -> None:
    shadow = "; it only watches (mode: shadow) and pages nobody" if rule.mode is Mode.SHADOW else ""
    say(f"Rule {rule.name}, {rule.where_file}", "bold")
    say(f"  reads      {rule.on.value} events by {', '.join(rule.by) or 'nothing: all are one'}{shadow}")


def _say_entity(found: EntityLook, at: float, now: float) -> None:
    look, reading = found.look, found.look.reading
    labels = ", ".join(f"{name}={value}" for name, value in look.state.entity) or "everything"
    firing = f" {look.state.severity}" if look.state.severity else ""
    say(f"{labels}: {look.state.verdict.value}{firing}", "bold")
    say(f"  because    {look.state.reason}")
    newest = f", newest event {ago(reading.newest, now)} ago" if reading.newest is not None else ""
    if not reading.samples and at < now - look.rule.window:
        say("  note       so far back nothing is held any more; the incidents have what was told then")
    say(f"  window     {instant(reading.start)} to {instant(at)}, {reading.samples} samples{newest}")
    for note in (*late_share(reading.late, reading.samples), *reading.notes):
        say(f"  note       {note}")
    for level in found.levels:
        say(f"  {level.level.severity}: {_state(level, at)}")
        for line in drawn(level.part):
            say(f"    {line}")
    for line in _paged(found):
        say(f"  paged      {line}")


def _state(level: LevelLook, at: float) -> str:
    if level.firing and level.since is not None:
        return f"fires; held since {instant(level.since)}"
    if level.since is not None and level.holds:
        return f"holds for {at - level.since:.0f} s; it must for {level.level.for_:g} s"
    return level.why if level.holds is None else ("holds" if level.holds else "does not hold")


def _paged(found: EntityLook) -> list[str]:
    """Who was paged for what was told of the entity, or why nobody was."""
    if found.look.rule.mode is Mode.SHADOW:
        return ["nobody: the rule is in shadow, what it finds is only counted"]
    if not found.incidents:
        return ["nobody: nothing was told of it" if found.look.state.severity is None else "nobody yet"]
    return [_of_incident(incident) for incident in found.incidents[:5]]


def _of_incident(incident: Incident) -> str:
    people = ", ".join(f"{page.person} ({page.status.value})" for page in incident.pages)
    who = people or f"nobody: `fireline explain {incident.id}` has each decision"
    return f"{incident.id}, {incident.stands}, opened {instant(incident.opened_at)}: {who}"


def _document(found: EntityLook, at: float) -> dict[str, object]:
    look, reading = found.look, found.look.reading
    return {
        "entity": dict(look.state.entity),
        "verdict": look.state.verdict.value,
        "severity": look.state.severity,
        "reason": look.state.reason,
        "window": [reading.start, at],
        "measures": dict(reading.values),
        "samples": reading.samples,
        "late": reading.late,
        "notes": list(reading.notes),
        "newest": reading.newest,
        "levels": [
            {
                "severity": level.level.severity,
                "holds": level.holds,
                "why": level.why,
                "since": level.since,
                "firing": level.firing,
                "for": level.level.for_,
                "condition": part_json(level.part),
            }
            for level in found.levels
        ],
        "incidents": [
            {"id": i.id, "status": i.stands, "paged": [page.person for page in i.pages]} for i in found.incidents
        ],
        "paged": _paged(found),
    }
