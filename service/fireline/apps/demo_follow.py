"""How a gateway follows Fireline over OFREP: ask often and cheaply, keep the last route when nobody answers."""

import logging
from collections.abc import Mapping

import aiohttp

from fireline.apps.web_ofrep import WEIGHTS
from fireline.engine.ports import Clock

log = logging.getLogger(__name__)


class Follower:
    """The route of one service as last heard. `since` is when it was applied, `heard_at` when Fireline last spoke."""

    def __init__(self, url: str, service: str, clock: Clock, every: float = 0.05) -> None:
        self._url, self._clock, self._every = url.rstrip("/") + "/ofrep/v1/evaluate/flags", clock, every
        self._flag = service + WEIGHTS
        self._etag = ""
        self.weights: Mapping[str, int] = {"primary": 100}
        self.version: int | None = None
        self.since = 0.0
        self.heard_at: float | None = None
        self.away = ""

    async def run(self) -> None:
        """Follow until cancelled."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2.0)) as session:
            while True:
                await self.look(session)
                await self._clock.sleep(self._every if not self.away else 0.5)

    async def look(self, session: aiohttp.ClientSession) -> None:
        """Ask once. Whatever goes wrong leaves the route as it is, and `away` says what it was."""
        headers = {"If-None-Match": self._etag} if self._etag else {}
        try:
            async with session.post(self._url, json={"context": {}}, headers=headers) as answer:
                if answer.status == 200:
                    self._take(await answer.json())
                    self._etag = answer.headers.get("ETag", "")
                elif answer.status != 304:
                    raise ValueError(f"status {answer.status}")
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
            if not self.away:
                log.warning("Fireline does not answer (%r); the last route stays: %s", error, dict(self.weights))
            self.away = repr(error)
            return
        if self.away:
            log.info("Fireline answers again")
        self.away, self.heard_at = "", self._clock.now()

    def _take(self, answer: Mapping[str, object]) -> None:
        flags = answer["flags"]
        assert isinstance(flags, list)
        found = next((flag for flag in flags if flag["key"] == self._flag), None)
        if found is None:
            raise ValueError(f"Fireline does not know {self._flag}")
        weights = {str(target): int(share) for target, share in found["value"].items()}
        if sum(weights.values()) <= 0:
            raise ValueError(f"weights without a target: {weights}")
        if weights != self.weights:
            self.since = self._clock.now()
        self.weights, self.version = weights, int(found["metadata"]["version"])
