"""Which service needs which, and which hang together: worked out once a catalog, asked in each decision."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dependencies:
    """By service id: `needs` what it depends on itself, `needed_by` the other way round, `homes` the first by name of
    all that hang together with it, however far. What depends on nothing, and nothing on it, is in none of them.
    """

    needs: Mapping[str, tuple[str, ...]]
    needed_by: Mapping[str, tuple[str, ...]]
    homes: Mapping[str, str]

    @classmethod
    def of(cls, needs: Mapping[str, tuple[str, ...]]) -> "Dependencies":
        """Of services and the ids of what they depend on."""
        needed_by: dict[str, tuple[str, ...]] = {}
        for service, needed in needs.items():
            for name in needed:
                needed_by[name] = (*needed_by.get(name, ()), service)
        near = {name: (*needs.get(name, ()), *needed_by.get(name, ())) for name in {*needs, *needed_by}}
        homes: dict[str, str] = {}
        for name in sorted(near):  # so that the first of those that hang together comes first
            if near[name] and name not in homes:
                homes |= dict.fromkeys({name, *reached(name, near)}, name)
        return cls(needs, needed_by, homes)


def reached(service: str, ways: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    """All that is reached from a service in one step or more, itself left out."""
    found: set[str] = set()
    waiting = [service]
    while waiting:
        new = {name for name in ways.get(waiting.pop(), ()) if name not in found}
        found |= new
        waiting += new
    return frozenset(found - {service})
