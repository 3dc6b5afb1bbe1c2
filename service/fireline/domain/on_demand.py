"""Mappings whose names are known at once and whose values are made when they are first asked for.

A family of plugins is one: what a file may name costs nothing, and only those modules are loaded that one does name.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

T = TypeVar("T")


class OnDemand(Mapping[str, T]):
    """`make` is called once with each name that is asked for; a name that is not among `names` is a KeyError."""

    def __init__(self, names: Iterable[str], make: Callable[[str], T]) -> None:
        self._names = tuple(names)
        self._known = frozenset(self._names)
        self._make = make
        self._made: dict[str, T] = {}

    def __getitem__(self, name: str) -> T:
        if name in self._made:
            return self._made[name]
        if name not in self._known:
            raise KeyError(name)
        return self._made.setdefault(name, self._make(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._known
