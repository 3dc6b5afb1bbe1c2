"""What became of requests, as the gateway and its callers saw it: no estimate of Fireline's enters here."""

from dataclasses import asdict, dataclass, field

from fireline.apps.demo_scorers import Served

TOO_LATE_MS = 800.0
"""An answer later than this is of no use to a caller, and counts as failed."""


def useless(served: Served) -> bool:
    """Whether what a target gave is of no use to a caller."""
    return bool(served.error) or served.latency_ms > TOO_LATE_MS


@dataclass(slots=True)
class Cycle:
    """One outage of the primary. Times in seconds since the epoch; counts are of real requests, never of probes.

    What failed, failed at the callers. A request counts as before or after the switch by when the gateway took it.
    """

    broke_at: float
    healed_at: float | None = None
    first_bad_at: float | None = None
    first_on_fallback_at: float | None = None
    back_on_primary_at: float | None = None
    failed_before: int = 0
    failed_after: int = 0
    on_fallback: int = 0


@dataclass(slots=True)
class Facts:
    """Counts since the start, and each outage. `requests` were answered by the gateway, `calls` made by its callers."""

    requests: int = 0
    calls: int = 0
    failures: int = 0
    probes: int = 0
    probes_failed: int = 0
    by_target: dict[str, int] = field(default_factory=dict)
    cycles: list[Cycle] = field(default_factory=list)

    def broke(self, now: float) -> None:
        """The primary breaks."""
        self.cycles.append(Cycle(broke_at=now))

    def healed(self, now: float) -> None:
        """The primary is healthy again."""
        if self.cycles:
            self.cycles[-1].healed_at = now

    def probed(self, served: Served) -> None:
        """A shadow request to the primary came back."""
        self.probes += 1
        self.probes_failed += useless(served)

    def served(self, target: str, served: Served, began: float, ended: float) -> None:
        """The gateway answers a request that it took at `began`; its event is of `ended`."""
        self.requests += 1
        self.by_target[target] = self.by_target.get(target, 0) + 1
        if not self.cycles:
            return
        cycle, bad = self.cycles[-1], useless(served)
        if bad:
            cycle.first_bad_at = cycle.first_bad_at or ended
        if target == "fallback":
            cycle.on_fallback += 1
            if cycle.first_on_fallback_at is None or began < cycle.first_on_fallback_at:
                cycle.first_on_fallback_at = began
        elif cycle.first_on_fallback_at is not None and began > cycle.first_on_fallback_at and not bad:
            cycle.back_on_primary_at = cycle.back_on_primary_at or began

    def felt(self, began: float, *, failed: bool) -> None:
        """A caller is done with a request that the gateway took at `began`; whether it was for nothing."""
        self.calls += 1
        self.failures += failed
        if not failed or not self.cycles:
            return
        cycle = self.cycles[-1]
        if cycle.first_on_fallback_at is not None and began >= cycle.first_on_fallback_at:
            cycle.failed_after += 1
        else:
            cycle.failed_before += 1

    def told(self) -> dict[str, object]:
        """As JSON."""
        return asdict(self)
