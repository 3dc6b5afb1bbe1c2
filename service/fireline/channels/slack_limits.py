"""How fast Slack may be asked: a token bucket for each room and one for edits, whose waiting blocks nobody."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Bucket:
    """Refills `rate` tokens a second up to `burst`; `at` and all instants are seconds since the epoch."""

    rate: float
    burst: float
    tokens: float
    at: float
    closed_until: float = 0.0

    def take(self, now: float) -> float:
        """Take a token: 0.0 when there was one, otherwise the seconds until there is."""
        if now < self.closed_until:
            return self.closed_until - now
        self.tokens = min(self.burst, self.tokens + max(0.0, now - self.at) * self.rate)
        self.at = now
        if self.tokens >= 1.0:
            self.tokens -= 1.0
            return 0.0
        return (1.0 - self.tokens) / self.rate

    def close(self, until: float) -> None:
        """Nothing goes through before `until`: Slack said so."""
        self.closed_until = max(self.closed_until, until)
        self.tokens = min(self.tokens, 1.0)

    def idle(self, now: float) -> bool:
        """Whether it is full and open, so that forgetting it changes nothing."""
        return now >= self.closed_until and self.tokens + (now - self.at) * self.rate >= self.burst


@dataclass(slots=True)
class Limits:
    """Buckets by what they limit. `posts` a second and room, `edits` a minute and workspace."""

    posts: float = 1.0
    post_burst: float = 4.0
    edits: float = 50.0
    edit_burst: float = 20.0
    _buckets: dict[str, Bucket] = field(default_factory=dict)

    def post(self, room: str, now: float) -> Bucket:
        """The bucket of messages to `room`."""
        return self._bucket(f"post:{room}", self.posts, self.post_burst, now)

    def edit(self, now: float) -> Bucket:
        """The bucket of edits."""
        return self._bucket("edit", self.edits / 60.0, self.edit_burst, now)

    def _bucket(self, name: str, rate: float, burst: float, now: float) -> Bucket:
        found = self._buckets.get(name)
        if found is None:
            if len(self._buckets) >= 1000:
                self._buckets = {name: b for name, b in self._buckets.items() if not b.idle(now)}
            found = self._buckets[name] = Bucket(rate, burst, burst, now)
        return found
