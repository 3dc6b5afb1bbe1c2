"""Noise: what each rule would have cost in signals, firings and pages, and what each person would have borne. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from fireline.domain.configuration import NoiseBudget
from fireline.domain.hindsight import Firing, Outcome, Paged
from fireline.domain.rules import Mode, Rule


@dataclass(frozen=True, slots=True)
class RuleNoise:
    """One rule: `minutes` is how long its entities fired, all together; `flaps` are firings soon after the last."""

    rule: str
    shadow: bool
    signals: int
    firings: int
    flaps: int
    minutes: float
    pages: int
    out_of_hours: int
    severities: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Burden:
    """One person: pages in all, and those out of hours."""

    person: str
    name: str
    pages: int
    out_of_hours: int


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A stretch in which a person would have been paged more often than the budget allows.

    `stretch` says what it is, for people; `start` and `end` are its first and last page; `rules` counts pages by rule.
    """

    person: str
    name: str
    stretch: str
    start: float
    end: float
    pages: int
    allowed: int
    rules: Mapping[str, int]


def by_rule(rules: Iterable[Rule], outcome: Outcome, end: float) -> list[RuleNoise]:
    """Every rule by name, quiet ones too; what still fires does so until `end`."""
    firings: dict[str, list[Firing]] = defaultdict(list)
    for firing in outcome.firings:
        firings[firing.rule].append(firing)
    pages: dict[str, list[Paged]] = defaultdict(list)
    for page in outcome.pages:
        pages[page.rule].append(page)
    ordered = sorted(rules, key=lambda rule: rule.name)
    return [
        _rule(rule, outcome.signals.get(rule.name, 0), firings[rule.name], pages[rule.name], end) for rule in ordered
    ]


def _rule(rule: Rule, signals: int, firings: Sequence[Firing], pages: Sequence[Paged], end: float) -> RuleNoise:
    lasted = sum(max(0.0, (end if firing.end is None else firing.end) - firing.start) for firing in firings)
    return RuleNoise(
        rule=rule.name,
        shadow=rule.mode is Mode.SHADOW,
        signals=signals,
        firings=len(firings),
        flaps=sum(firing.flap for firing in firings),
        minutes=lasted / 60.0,
        pages=len(pages),
        out_of_hours=sum(page.out_of_hours for page in pages),
        severities=_counts(firing.severity for firing in firings),
    )


def by_person(pages: Iterable[Paged]) -> list[Burden]:
    """Everybody who would have been paged, those most often first."""
    own: dict[str, list[Paged]] = defaultdict(list)
    for page in pages:
        own[page.person].append(page)
    found = [Burden(p, some[0].name, len(some), sum(page.out_of_hours for page in some)) for p, some in own.items()]
    return sorted(found, key=lambda burden: (-burden.pages, burden.person))


def exceeded(budget: NoiseBudget, pages: Iterable[Paged]) -> list[Exceeded]:
    """Where the budget is not kept, by time and person; each page is held against at most one stretch of its person."""
    own: dict[str, list[Paged]] = defaultdict(list)
    for page in pages:
        own[page.person].append(page)
    found = [each for some in own.values() for each in _of_person(budget, some)]
    return sorted(found, key=lambda each: (each.start, each.person, each.stretch))


def _of_person(budget: NoiseBudget, pages: Sequence[Paged]) -> list[Exceeded]:
    if budget.per is not None:
        return _sliding(budget, budget.per, sorted(pages, key=lambda page: page.at))
    shifts: dict[tuple[str, float | None], list[Paged]] = defaultdict(list)
    for page in pages:
        shifts[_shift(page), page.until].append(page)
    return [_exceeded(budget, some, name) for (name, _), some in shifts.items() if len(some) > budget.pages]


def _shift(page: Paged) -> str:
    """The shift a page fell into: told by its end. Whom nobody relieves, or a policy names, has days of UTC."""
    if page.schedule is None or page.until is None:
        return f"the day {datetime.fromtimestamp(page.at, UTC):%Y-%m-%d}"
    return f"the shift on {page.schedule} until {datetime.fromtimestamp(page.until, UTC):%Y-%m-%d %H:%M UTC}"


def _sliding(budget: NoiseBudget, per: float, pages: Sequence[Paged]) -> list[Exceeded]:
    """Stretches of `per` seconds that begin at a page, wherever they lie; none told is told in part again."""
    found: list[Exceeded] = []
    place = 0
    while place < len(pages):
        some = [page for page in pages[place:] if page.at < pages[place].at + per]
        if len(some) > budget.pages:
            found.append(_exceeded(budget, some, f"{per / 3600:g} h"))
            place += len(some)
        else:
            place += 1
    return found


def _exceeded(budget: NoiseBudget, pages: Sequence[Paged], stretch: str) -> Exceeded:
    first = pages[0]
    rules = _counts(page.rule for page in pages)
    return Exceeded(first.person, first.name, stretch, first.at, pages[-1].at, len(pages), budget.pages, rules)


def _counts(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))
