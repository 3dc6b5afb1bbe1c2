"""The demo's two fraud scorers: a logistic regression trained at start, and a simple rule set to fall back on.

Both are real, small and deterministic. How long serving one takes is simulated, and the primary can be broken.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEATURES = ("amount", "night", "foreign", "attempts", "account_days")
DENY_AT = 0.5
SLOW_MS = 900.0
FAILING_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Scored:
    """What a model said of one transaction: `confidence` in its own answer, from 0.5 to 1."""

    prediction: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Served:
    """One served request: milliseconds it took, and the reason when there is no answer."""

    scored: Scored | None
    latency_ms: float
    error: str = ""


def transactions(count: int, seed: int) -> NDArray[np.float64]:
    """`count` made-up transactions, one a row, columns as in `FEATURES`."""
    draw = np.random.default_rng(seed)
    amount = np.round(draw.lognormal(3.6, 1.1, count), 2)
    night = (draw.random(count) < 0.2).astype(float)
    foreign = (draw.random(count) < 0.15).astype(float)
    attempts = draw.poisson(0.6, count).astype(float)
    days = np.round(draw.exponential(400.0, count))
    return np.column_stack([amount, night, foreign, attempts, days])


def _scaled(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    scaled = rows.copy()
    scaled[:, 0] = np.log1p(scaled[:, 0])
    scaled[:, 4] = np.log1p(scaled[:, 4])
    return np.column_stack([np.ones(len(scaled)), scaled])


class LogisticRegression:
    """Trained on made-up labelled transactions by gradient descent; the same weights at every start."""

    def __init__(self, seed: int = 14, rows: int = 3000, rounds: int = 400) -> None:
        made = transactions(rows, seed)
        x, draw = _scaled(made), np.random.default_rng(seed + 1)
        risk = 0.9 * x[:, 1] + 1.2 * x[:, 2] + 1.6 * x[:, 3] + 0.8 * x[:, 4] - 0.45 * x[:, 5] - 3.4
        fraud = (draw.random(rows) < 1 / (1 + np.exp(-risk))).astype(float)
        self.weights = np.zeros(x.shape[1])
        for _ in range(rounds):
            self.weights -= 0.1 * x.T @ (self._probability(x) - fraud) / rows

    def _probability(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        result: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(x @ self.weights, -30, 30)))
        return result

    def score(self, features: Mapping[str, float]) -> Scored:
        """The verdict on one transaction."""
        row = np.array([[features[name] for name in FEATURES]])
        fraud = float(self._probability(_scaled(row))[0])
        return Scored("deny" if fraud >= DENY_AT else "allow", round(max(fraud, 1 - fraud), 4))


class RuleSet:
    """What the team used before there was a model: worse, and never slow."""

    def score(self, features: Mapping[str, float]) -> Scored:
        """The verdict on one transaction."""
        points = (
            2 * (features["amount"] > 250)
            + features["foreign"]
            + features["night"]
            + (features["attempts"] >= 3)
            + (features["account_days"] < 30)
        )
        return Scored("deny" if points >= 3 else "allow", 0.9 if points in (0, 1, 5, 6) else 0.65)


class Serving:
    """One target: a scorer behind a simulated network and queue. `broken` makes it slow and failing."""

    def __init__(self, scorer: LogisticRegression | RuleSet, typical_ms: float, seed: int) -> None:
        self._scorer, self._typical = scorer, typical_ms
        self._draw = np.random.default_rng(seed)
        self.broken = False

    async def serve(self, features: Mapping[str, float]) -> Served:
        """Answer one request, in its time."""
        latency, error = float(self._typical * self._draw.lognormal(0.0, 0.25)), ""
        if self.broken:
            latency = SLOW_MS + float(self._draw.exponential(60.0))
            error = "upstream_error" if self._draw.random() < FAILING_SHARE else ""
        await asyncio.sleep(latency / 1000.0)
        return Served(None if error else self._scorer.score(features), round(latency, 1), error)
