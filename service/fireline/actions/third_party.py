"""Actions of other packages, by entry point of the group `fireline.actions`: `"acme.ping" = "acme_fireline:PING"`.

The entry point's name is what `uses` gives, and it stands for an `ActionKind`. Its names are read when a name is asked
for that does not come with Fireline, or all are; a package is loaded when its action is used. One that cannot be loaded
stops nothing: the action is not there, and why is told where a runbook uses it.
"""

import logging
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points

from pydantic import BaseModel

from fireline.actions.schema import ActionKind, Ports
from fireline.engine.outward import Action

log = logging.getLogger("fireline.actions")

GROUP = "fireline.actions"
_NAME = re.compile(r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$")


def installed() -> Iterable[EntryPoint]:
    """What is installed here under our group."""
    return entry_points(group=GROUP)


def package_of(entry: EntryPoint) -> str:
    """The package that brings it, with its version."""
    return "a package without a name" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"


class Actions(Mapping[str, ActionKind]):
    """The actions that come with Fireline, and those of packages installed beside it; the former always win."""

    def __init__(
        self, shipped: Mapping[str, ActionKind], found: Callable[[], Iterable[EntryPoint]] = installed
    ) -> None:
        self._shipped = shipped
        self._found = found
        self._loaded: dict[str, ActionKind | str] = {}

    @cached_property
    def _others(self) -> Mapping[str, list[EntryPoint]]:
        others: dict[str, list[EntryPoint]] = {}
        for entry in self._found():
            others.setdefault(entry.name, []).append(entry)
        return others

    def __getitem__(self, name: str) -> ActionKind:
        if name in self._shipped:
            return self._shipped[name]
        kind = self._kind(name)
        if isinstance(kind, str):
            raise KeyError(kind)
        return kind

    def __iter__(self) -> Iterator[str]:
        yield from self._shipped
        yield from (name for name in sorted(self._others) if self._of_others(name))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name in self._shipped or self._of_others(name))

    def why_not(self, name: str) -> str:
        """Why an action that some package brings cannot be used; empty when it can, or when none brings it."""
        if name in self._shipped or name not in self._others:
            return ""
        kind = self._kind(name)
        return kind if isinstance(kind, str) else ""

    def unusable(self) -> Mapping[str, str]:
        """What packages bring and cannot be used, with the reasons; also names that come with Fireline."""
        taken = {
            name: f"{package_of(entries[0])} brings it too, and what comes with Fireline is used"
            for name, entries in self._others.items()
            if name in self._shipped
        }
        return {**{name: why for name in sorted(self._others) if (why := self.why_not(name))}, **taken}

    def built(self, name: str, ports: Ports) -> Action | None:
        """An action of another package over the ports; None, which is logged, when it cannot be built."""
        try:
            return self[name].build(ports)
        except Exception as fault:  # a package of others may raise anything
            self._loaded[name] = f"{self.package(name)} cannot be built: {type(fault).__name__}: {fault}"
            log.warning("the action %s cannot be used: %s", name, self._loaded[name])
            return None

    def package(self, name: str) -> str:
        """The package that brings an action; empty for one that comes with Fireline."""
        entries = () if name in self._shipped else self._others.get(name, ())
        return package_of(entries[0]) if entries else ""

    def _of_others(self, name: str) -> bool:
        return name not in self._shipped and isinstance(self._kind(name), ActionKind)

    def _kind(self, name: str) -> ActionKind | str:
        if name not in self._others:
            return name
        if name not in self._loaded:
            self._loaded[name] = loaded(self._others[name])
            if isinstance(why := self._loaded[name], str):
                log.warning("the action %s cannot be used: %s", name, why)
        return self._loaded[name]


def loaded(entries: Collection[EntryPoint]) -> ActionKind | str:
    """The action behind an entry point, or why there is none: whatever the package does, nothing is raised."""
    first, *more = entries
    if more:
        return f"{' and '.join(map(package_of, entries))} bring it: uninstall one of them"
    where = f"{package_of(first)} ({first.value})"
    if not _NAME.match(first.name):
        return f"{where}: the name is not like `family.verb`, in small letters: rename the entry point"
    try:
        kind = first.load()
    except Exception as fault:  # a package of others may raise anything
        return f"{where} cannot be loaded: {type(fault).__name__}: {fault}: mend or uninstall the package"
    return kind if (against := _against(kind)) is None else f"{where} {against}"


def _against(kind: object) -> str | None:
    if not isinstance(kind, ActionKind):
        return f"is a {type(kind).__name__} and no fireline.actions.ActionKind"
    if not isinstance(kind.options, type) or not issubclass(kind.options, BaseModel):
        return "has options that are no pydantic model"
    if not isinstance(kind.outputs, Mapping) or "outcome" in kind.outputs:
        return "has outputs that are no mapping, or one called `outcome`, which every step has"
    return None
