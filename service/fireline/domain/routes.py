"""Routes and leases: which target serves a service now, who said so and why, and until when."""

from collections.abc import Mapping
from dataclasses import dataclass

Weights = Mapping[str, int]
"""Percent of traffic by target; sums to 100."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A fallback held until `until` (seconds since the epoch), and the weights to go back to."""

    until: float
    prior: Weights
    holder: str


@dataclass(frozen=True, slots=True)
class Route:
    """The route of one service. `version` counts changes; `by` is the actor (`run:12`, `person:ann`); `lease` is set
    while the traffic is anywhere else than on the primary.
    """

    service: str
    weights: Weights
    version: int
    changed_at: float
    by: str
    reason: str
    lease: Lease | None = None
