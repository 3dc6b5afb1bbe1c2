"""Checks of guards: a blast radius that a run is always beyond, told when the runbook is read and not at night."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fireline.domain.oscillation import thing_of
from fireline.domain.runbook_steps import entries
from fireline.domain.runbooks import BlastRadius, Step
from fireline.spec import codes
from fireline.spec.catalog import Entries as CatalogEntries
from fireline.spec.findings import Findings
from fireline.spec.runbooks import PlacedRunbook

_ITEM = re.compile(r"\{\{\s*item\s*\}\}")


@dataclass(frozen=True, slots=True)
class _Use:
    """One doing of a step: its id, and those of its options that are written out."""

    step: str
    options: Mapping[str, object]
    open: bool  # whether an option that may name its target is a template


def check_blast_radius(placed: PlacedRunbook, catalog: CatalogEntries | None, findings: Findings) -> None:
    """Note each limit that is exceeded by what is written already, whatever a run is told."""
    limit = placed.runbook.blast_radius
    if limit is None:
        return
    uses = [use for name, step in entries(placed.runbook) if _acts(step) for use in _uses(name, step)]
    for field, message in _exceeded(uses, limit, catalog):
        path = ("guards", "blast_radius", field)
        if limit.asks:
            said, hint = f"every run asks a person: {message}", "raise it, or take `if_more: ask` away"
            findings.warning(placed.document, path, said, hint, code=codes.NEVER_HOLDS)
        else:
            said, hint = f"no run ever starts: {message}", "raise it, or have the runbook touch less"
            findings.error(placed.document, path, said, hint, code=codes.NEVER_HOLDS)


def _acts(step: Step) -> bool:
    return step.undo is not None or step.irreversible


def _uses(name: str, step: Step) -> Iterator[_Use]:
    source = step.with_.source
    written = {str(key): value for key, value in source.items()} if isinstance(source, Mapping) else {}
    items = None if step.foreach is None else step.foreach.items.source
    if not isinstance(items, (list, tuple)) or "{{" in repr(items):
        yield _Use(name, *_written_out(written))
        return
    for index, item in enumerate(items):
        filled = {
            key: _ITEM.sub(str(item), value) if isinstance(value, str) else value for key, value in written.items()
        }
        yield _Use(f"{name}[{index}]", *_written_out(filled))


def _written_out(options: Mapping[str, object]) -> tuple[Mapping[str, object], bool]:
    """The options without templates, and whether one of those that name a target is a template."""
    whole = {key: value for key, value in options.items() if "{{" not in repr(value)}
    return whole, thing_of(options) != thing_of(whole)


def _exceeded(uses: list[_Use], limit: BlastRadius, catalog: CatalogEntries | None) -> Iterator[tuple[str, str]]:
    ids = {} if catalog is None else {alias: s.id for s in catalog.services.values() for alias in s.aliases}
    things = {
        thing_of(use.options, lambda name: ids.get(name, name)) or f"step {use.step}" for use in uses if not use.open
    }
    if limit.targets is not None and len(things) > limit.targets:
        yield "targets", f"its steps touch {len(things)} targets ({', '.join(sorted(things))}), at most {limit.targets}"
    named = [use.options["service"] for use in uses if isinstance(use.options.get("service"), str)]
    services = sorted({ids.get(str(name), str(name)) for name in named})
    if limit.services is not None and len(services) > limit.services:
        yield "services", f"its steps touch {len(services)} services ({', '.join(services)}), at most {limit.services}"
    for use in uses if limit.share is not None else ():
        share = _share(use.options, ids, catalog)
        if share is not None and limit.share is not None and share > limit.share:
            yield (
                "share",
                f"{use.step} moves {share} % of {use.options['service']} off its primary, at most {limit.share} %",
            )
            return


def _share(options: Mapping[str, object], ids: Mapping[str, str], catalog: CatalogEntries | None) -> int | None:
    name, to = str(options.get("service")), options.get("to")
    service = None if catalog is None else catalog.services.get(ids.get(name, name))
    if service is None or not isinstance(to, Mapping):
        return None
    kept = to.get(service.primary, 0)
    return 100 - kept if isinstance(kept, int) else None
