"""Admission: no rule takes more entities than its `max_entities`, and who is left out is told, not hidden.

A label whose values never end (a request id, a customer) would otherwise fill the memory of every worker.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from fireline.domain.expressions import EvaluationFault
from fireline.domain.rules import Rule
from fireline.engine.partials import Values

IDLE = 600.0
"""Seconds, or the rule's window when that is longer, without an event after which an entity makes room. It takes up to
twice as long."""

REPORT = 60.0
"""Seconds between two reports of one rule."""

EVENT = "fireline.entities_refused"
"""The name of the `alert` event that tells of entities that were left out."""

_ALL_CLEARS = 2
_EXAMPLES = 3
_LONGEST = 200
_LOOKED_AT = 10_000


@dataclass(frozen=True, slots=True)
class Refusal:
    """Events of a rule that were left out since the last report, none when that is over.

    `label` is the one with the most values among the entities that were taken, `examples` are entities that were not.
    """

    rule: Rule
    events: int
    label: str
    examples: Sequence[Values]

    def event(self, at: float) -> bytes:
        """It as an event of kind `alert` in native JSON, for the service of the rule; `at` is its event time."""
        labels = dict(zip(self.rule.by, self.examples[0] or (), strict=False)) if self.examples else {}
        body = {
            "type": "alert",
            "name": EVENT,
            "ts": at,
            "service": _service(self.rule, labels),
            "rule": self.rule.name,
            "owner": self.rule.owner or "",
            "value": self.events,
            "limit": self.rule.max_entities,
            "label": self.label,
            "examples": self.told,
        }
        return orjson.dumps(_harmless(body))

    @property
    def told(self) -> str:
        """The examples for a person: `service=a, region=eu; service=b, region=eu`."""
        each = [
            ", ".join(f"{name}={value}" for name, value in zip(self.rule.by, values or (), strict=False))
            for values in self.examples
        ]
        text = "; ".join(each)
        return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _service(rule: Rule, labels: Mapping[str, str]) -> str:
    try:
        found = str(rule.service.render(labels) or "")
    except EvaluationFault:
        found = ""
    return found or labels.get("service") or rule.name


def _harmless(body: Mapping[str, object]) -> dict[str, object]:
    """Texts of events may hold what UTF-8 cannot."""
    return {
        name: value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
        for name, value in body.items()
    }


class Admission:
    """Keeps rules within their limits, for one worker; `now` is the time of the records."""

    def __init__(self) -> None:
        self._known: dict[str, set[Values]] = {}
        self._before: dict[str, set[Values]] = {}
        self._turned: dict[str, float] = {}
        self._examples: dict[str, list[Values]] = {}
        self._refused: Counter[str] = Counter()
        self._reported: dict[str, float] = {}
        self._all_clears: dict[str, int] = {}

    def admits(self, rule: Rule, entity: Values) -> bool:
        """Whether the entity is known to the rule or there is room for it, which it then takes."""
        known = self._known.setdefault(rule.name, set())
        if entity is None or entity in known:
            return True
        before = self._before.setdefault(rule.name, set())
        if entity in before:
            before.remove(entity)
        elif len(known) + len(before) >= rule.max_entities:
            examples = self._examples.setdefault(rule.name, [])
            if len(examples) < _EXAMPLES:
                examples.append(entity)
            return False
        known.add(entity)
        return True

    def refuse(self, rule: str, events: int) -> None:
        """So many events of the rule were left out."""
        self._refused[rule] += events

    def turn(self, rules: Iterable[Rule], now: float) -> bool:
        """Forget entities that nothing was heard of for long; when any may be, whoever remembers that one was admitted
        must ask again."""
        due = [rule for rule in rules if now - self._turned.setdefault(rule.name, now) > max(IDLE, rule.window)]
        for rule in due:
            self._turned[rule.name] = now
            self._before[rule.name] = self._known.pop(rule.name, set())
        return bool(due)

    def report(self, rules: Mapping[str, Rule], now: float) -> Sequence[Refusal]:
        """What is to be told now: at most once a minute for each rule, and twice that it is over."""
        found = [self._report(rules[name], now) for name in {**self._all_clears, **self._refused} if name in rules]
        return [refusal for refusal in found if refusal is not None]

    def _report(self, rule: Rule, now: float) -> Refusal | None:
        if now - self._reported.get(rule.name, float("-inf")) < REPORT:
            return None
        self._reported[rule.name] = now
        events = self._refused.pop(rule.name, 0)
        refusal = Refusal(rule, events, self._widest(rule), tuple(self._examples.get(rule.name, ())))
        left = _ALL_CLEARS if events else self._all_clears[rule.name] - 1
        if left > 0:
            self._all_clears[rule.name] = left
        else:
            del self._all_clears[rule.name]
            self._examples.pop(rule.name, None)
        return refusal

    def _widest(self, rule: Rule) -> str:
        """The label that takes the room."""
        taken = [*self._known.get(rule.name, ()), *self._before.get(rule.name, ())][:_LOOKED_AT]
        counts = {name: len({values[place] for values in taken if values}) for place, name in enumerate(rule.by)}
        return max(counts, key=counts.__getitem__, default="")

    def clear(self) -> None:
        """Forget all entities: the rules changed."""
        for held in (self._known, self._before, self._turned):
            held.clear()
