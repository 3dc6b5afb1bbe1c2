"""Plans: what to do with events of one label set, worked out once and remembered.

A plan lists the targets of its events: for every rule matched, the entity and the measures that the events feed. Events
are collected per plan and folded as columns, so the cost of a batch follows its label sets, not its events.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from zlib import crc32

from fireline.domain.events import Kind, Row, field_of, text_of
from fireline.domain.rules import Rule
from fireline.domain.windows import Family, Fields
from fireline.engine.admission import Admission
from fireline.engine.ingest_columns import Drawn, Shape, shapes_of
from fireline.engine.matching import Index, Stream, index_rules
from fireline.engine.partials import Values

EVERYWHERE = -1
"""The partition of a target that every partition must hear of."""

_REMEMBERED = 50_000


@dataclass(frozen=True, slots=True, eq=False)  # told apart as objects: a rule's options cannot be hashed
class Target:
    """Events for one entity of one rule, and the places of the measures they feed.

    `shapes` are those of all the rule's measures. `counts`: whether the events are samples of the rule, and break its
    silence.
    """

    rule: Rule
    entity: Values
    partition: int
    measures: tuple[int, ...]
    shapes: tuple[Shape, ...]
    counts: bool = True


@dataclass(slots=True)
class Plan:
    """The targets of one label set, the rules that refuse its entity, and the events waiting to be folded.

    Those of `rows` came last; of those before them is left what was `drawn`.
    """

    kind: Kind
    targets: tuple[Target, ...]
    refused: tuple[str, ...] = ()
    rows: list[Row] = field(default_factory=list)
    drawn: Drawn | None = None
    shapes: tuple[Shape, ...] = field(init=False)
    """What the targets' measures read, each once."""
    picks: tuple[tuple[tuple[int, int], ...], ...] = field(init=False)
    """For each target where its measures stand, and where their shapes do."""

    def __post_init__(self) -> None:
        self.shapes, self.picks = _read(tuple([(target.shapes, target.measures) for target in self.targets]))

    def draw(self) -> None:
        """Take from the rows what the targets' measures read, and let go of them."""
        if self.drawn is None:
            self.drawn = Drawn(self.shapes, [])
        self.drawn.add(self.kind, self.rows)
        self.rows = []

    def take(self) -> Drawn:
        """All that was drawn, which then waits no more; call it when something was."""
        assert self.drawn is not None
        taken, self.drawn = self.drawn, None
        return taken


@lru_cache(maxsize=4096)  # plans of the same rules share them
def _read(
    asked: tuple[tuple[tuple[Shape, ...], tuple[int, ...]], ...],
) -> tuple[tuple[Shape, ...], tuple[tuple[tuple[int, int], ...], ...]]:
    """`Plan.shapes` and `Plan.picks` of targets with these shapes and measures."""
    found = dict.fromkeys(shapes[place] for shapes, measures in asked for place in measures)
    places = {shape: place for place, shape in enumerate(found)}
    picks = [tuple([(place, places[shapes[place]]) for place in measures]) for shapes, measures in asked]
    return tuple(found), tuple(picks)


def draw_together(plans: Iterable[Plan]) -> None:
    """Draw all rows that wait: the columns of plans that read the same are taken at once."""
    alike: dict[tuple[Kind, tuple[Shape, ...]], list[Plan]] = {}
    for plan in plans:
        if plan.rows:
            alike.setdefault((plan.kind, plan.shapes), []).append(plan)
    for (kind, shapes), some in alike.items():
        together = Drawn(shapes, [])
        together.add(kind, [row for plan in some for row in plan.rows])
        if None in together.columns:  # a family's fault is its own plan's
            for plan in some:
                plan.draw()
            continue
        begin = 0
        for plan in some:
            part = together.part(begin, begin := begin + len(plan.rows))
            if plan.drawn is None:
                plan.drawn = part
            else:
                plan.drawn.extend(part)
            plan.rows = []


def partition_of(rule: str, entity: Sequence[str], partitions: int) -> int:
    """The partition that evaluates an entity of a rule; the same in every process."""
    return crc32("\x1f".join((rule, *entity)).encode(errors="surrogatepass")) % partitions


Key = Callable[[Fields], tuple[object, ...]]
"""What tells the label set of an event by its fields. Raises KeyError, and no other, for fields that are missing."""


class Lane:
    """The plans of one kind of event."""

    def __init__(
        self,
        kind: Kind,
        index: Index,
        admission: Admission,
        partitions: int,
        shapes: Mapping[str, tuple[Shape, ...]],
    ) -> None:
        self.kind = kind
        self.names = index.names
        self.padded: Key = _padded(self.names)
        # twice as fast, where no name is missing; of less than two names it gives no tuple
        self.direct: Key = itemgetter(*self.names) if len(self.names) > 1 else self.padded
        self.plans: dict[tuple[object, ...], Plan] = {}
        # where raw values may be looked up: not when a name reaches into nested objects
        self.quick: dict[tuple[object, ...], Plan] = {} if any("." in name for name in self.names) else self.plans
        self.heard: dict[str, Rule] = {}
        """The rules that any event belonged to so far."""
        self._refusals: dict[tuple[str, ...], Plan] = {}
        self._index = index
        self._admission = admission
        self._partitions = partitions
        self._shapes = shapes

    def forget(self) -> None:
        """Forget all plans: what they were made of has changed."""
        self.plans.clear()
        self._refusals.clear()

    def plan(self, fields: Mapping[str, object]) -> Plan:
        """The plan of an event with these fields.

        Plans are remembered under label texts alone, so that looking up raw values finds only those that are texts
        already: 1, 1.0 and true are equal to Python and are not the same label.
        """
        key = tuple([text_of(field_of(fields, name)) for name in self.names])
        plan = self.plans.get(key)
        if plan is None:
            if len(self.plans) >= _REMEMBERED:
                self.plans.clear()
            plan = self.plans[key] = self._make(dict(zip(self.names, key, strict=True)))
        return plan

    def _make(self, labels: Mapping[str, str]) -> Plan:
        matched: dict[tuple[str, Values], list[Stream]] = {}
        for stream in self._index.match(labels):
            entity = tuple(labels[name] for name in stream.rule.by)
            values = None if stream.partner and "" in entity else entity
            matched.setdefault((stream.rule.name, values), []).append(stream)
        targets, refused = [], []
        for (name, values), streams in matched.items():
            self.heard[name] = streams[0].rule
            if self._admission.admits(streams[0].rule, values):
                targets.append(self._target(values, streams))
            else:
                refused.append(name)
        if refused and not targets:  # one plan for all of them: label sets without end must not cost memory each
            return self._refusals.setdefault(tuple(refused), Plan(self.kind, (), tuple(refused)))
        return Plan(self.kind, tuple(targets), tuple(refused))

    def _target(self, values: Values, streams: Sequence[Stream]) -> Target:
        rule = streams[0].rule
        partition = EVERYWHERE if values is None else partition_of(rule.name, values, self._partitions)
        measures = sorted({place for stream in streams for place in stream.measures})
        counts = any(stream.counts for stream in streams)
        return Target(rule, values, partition, tuple(measures), self._shapes[rule.name], counts)


def _padded(names: Sequence[str]) -> Key:
    """The raw values of these fields of an event; the empty text for what is missing."""
    empty = ("",) * len(names)
    return lambda fields: tuple(map(fields.get, names, empty))


def lanes_of(
    rules: Iterable[Rule], families: Mapping[str, Family], admission: Admission, partitions: int
) -> dict[Kind, Lane]:
    """A lane for every kind that any rule reads."""
    rules = list(rules)
    shapes, indexes = shapes_of(rules, families), index_rules(rules, families)
    return {kind: Lane(kind, index, admission, partitions, shapes) for kind, index in indexes.items()}
