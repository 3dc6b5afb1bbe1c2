"""Reaching: what a run touches and moves, as far as its steps tell before it begins. Its blast radius, in figures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fireline.domain.autonomy_table import Reach
from fireline.domain.catalog import Catalog
from fireline.domain.oscillation import thing_of
from fireline.domain.runbooks import BlastRadius, Run, Runbook
from fireline.engine import values
from fireline.engine.foreseeing import Foreseen, foreseen


@dataclass(frozen=True, slots=True)
class Canonical:
    """A service by its id, by whichever of its names it is called."""

    catalog: Catalog

    def __call__(self, name: str) -> str:
        """The id; what the catalog does not know stays as it is."""
        known = self.catalog.service(name)
        return known.id if known else name


def planned(run: Run, book: Runbook, catalog: Catalog) -> tuple[Foreseen, ...]:
    """The steps of a run that has its inputs, as far as they are known before it begins."""
    known = {**values.of_start(run.context, values.of_catalog(catalog)), "inputs": dict(run.inputs)}
    return tuple(foreseen(book, known))


def reach(steps: Sequence[Foreseen], catalog: Catalog, context: Mapping[str, object] | None = None) -> Reach:
    """The services that a run touches and the share of traffic that it moves, `context` being its incident."""
    canonical = Canonical(catalog)
    services: set[str] = {canonical(str(context["service"]))} if context and context.get("service") else set()
    share: int | None = 0
    same: dict[str, str] = {}  # what the text of a `service` came to: one that cannot be rendered may be the same
    sure = True
    for each in steps:
        if not each.acts:
            continue
        written = each.written
        if each.options is None:
            sure = sure and ("service" not in written or str(written["service"]) in same)
            share = None if "to" in written or not sure else share
            continue
        service, to = each.options.get("service"), each.options.get("to")
        if isinstance(service, str) and service:
            same[str(written.get("service"))] = service
            services.add(canonical(service))
            share = None if share is None else max(share, _moved(catalog, service, to))
    return Reach(frozenset(services) if sure else None, share)


def _moved(catalog: Catalog, service: str, to: object) -> int:
    known = catalog.service(service)
    if known is None or not isinstance(to, Mapping):
        return 0
    kept = to.get(known.primary, 0)
    return 100 - kept if isinstance(kept, int) else 100


def width(run: Run, book: Runbook, catalog: Catalog, limit: BlastRadius) -> str | None:
    """`too_wide` of a run that has its inputs."""
    found = planned(run, book, catalog)
    return too_wide(found, reach(found, catalog, run.context), catalog, limit)


@dataclass(frozen=True, slots=True)
class Touched:
    """What a run touches at most: things by name, and how many more nobody can name yet."""

    things: frozenset[str]
    unnamed: int = 0

    @property
    def count(self) -> int:
        """How many in all."""
        return len(self.things) + self.unnamed


def told(run: Run, book: Runbook, catalog: Catalog) -> str:
    """What the run would touch, in figures, for people."""
    steps = planned(run, book, catalog)
    found, far = touched(steps, Canonical(catalog)), reach(steps, catalog, run.context)
    services = "unknown" if far.services is None else str(len(far.services))
    share = "unknown" if far.share is None else f"{far.share} %"
    return f"targets {found.count}, services {services}, share off a primary {share}"


def touched(steps: Sequence[Foreseen], canonical: Canonical) -> Touched:
    """The targets of steps that act. A step that names none is one of its own, and so is each item of a list."""
    things: set[str] = set()
    texts: set[str] = set()  # of options that cannot be told: the same text is the same target
    unnamed = 0
    for each in steps:
        if not each.acts:
            continue
        if each.options is not None:
            thing = thing_of(each.options, canonical) or f"step {each.id}"
            things.add(thing)
            unnamed += each.times - 1 if thing.startswith("step ") else 0
        elif (text := repr(thing_of({str(k): v for k, v in each.written.items()}) or each.id)) not in texts:
            texts.add(text)
            unnamed += each.times
    return Touched(frozenset(things), unnamed)


def too_wide(steps: Sequence[Foreseen], reach: Reach, catalog: Catalog, limit: BlastRadius) -> str | None:
    """Why the run would touch more than it may, with what and how much; None when it would not."""
    against = list(_too_wide(touched(steps, Canonical(catalog)), reach, limit))
    return None if not against else "its blast radius is too large: " + "; ".join(against)


def _too_wide(found: Touched, reach: Reach, limit: BlastRadius) -> Iterator[str]:
    if limit.targets is not None and found.count > limit.targets:
        more = f"{' and ' if found.things else ''}up to {found.unnamed} not known before" if found.unnamed else ""
        yield f"{found.count} targets ({', '.join(sorted(found.things))}{more}), at most {limit.targets}"
    if limit.services is not None and (reach.services is None or len(reach.services) > limit.services):
        known = reach.services
        told = "services not known before" if known is None else f"{len(known)} services ({', '.join(sorted(known))})"
        yield f"{told}, at most {limit.services}"
    if limit.share is not None and (reach.share is None or reach.share > limit.share):
        told = "a share not known before" if reach.share is None else f"{reach.share} %"
        yield f"{told} of a service's traffic off its primary, at most {limit.share} %"
