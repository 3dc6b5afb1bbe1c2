"""Plays the parts of the demo that are not Fireline's: fate, which breaks the model, and the engineer who answers."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter

from fireline.apps.demo_home import on_call
from fireline.apps.demo_house import House
from fireline.apps.demo_scene import Eyes, Scene, news
from fireline.apps.demo_show import Show
from fireline.apps.faults import Refused
from fireline.apps.files import BrokenFiles
from fireline.domain.configuration import Configuration
from fireline.domain.runbooks import Budget
from fireline.engine.ports import Clock

EVERY = 0.15
"""Seconds between two looks."""
REREAD = 2.0
"""Seconds between two readings of files that somebody may be editing."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the story is told, in seconds: healthy traffic before the break, reading the page before answering it,
    the outage after the traffic moved, the pause between stories, the longest a story may take, and until events flow.
    `settle` is written into the copy of the rules.
    """

    healthy: float = 8.0
    reading: float = 5.0
    outage: float = 12.0
    pause: float = 15.0
    longest: float = 360.0
    ready: float = 180.0
    settle: str = "10s"


class Director:
    """Leads through one outage after the other."""

    def __init__(self, house: House, eyes: Eyes, clock: Clock, pace: Pace) -> None:
        self._house, self._eyes, self._clock, self.pace = house, eyes, clock, pace
        self._scene = Scene(clock.now())
        self._configuration = house.home.read()
        self._runs: list[tuple[str, float]] = []

    async def story(self, show: Show) -> Scene:
        """One outage from beginning to end; the last scene, finished or not when its time is over."""
        await self._until_ready(show)
        since = self._clock.now()
        self._scene = await self._eyes.look(since, since)
        show.say(since, f"traffic is healthy, {self._scene.rate:,.0f} events/s are judged")
        await self._watch(show, self.pace.healthy)
        await self._eyes.post(self._house.gateway + "/break", {})
        show.say(self._clock.now(), "the primary model breaks: slow answers and errors")
        began = self._clock.now()
        acknowledged = healed = False
        while not (self._scene.over or self._scene.lost) and self._clock.now() - began < self.pace.longest:
            await self._watch(show, EVERY)
            acknowledged = acknowledged or await self._acknowledge()
            healed = healed or await self._heal(show)
        await self._eyes.post(self._house.gateway + "/heal", {})
        if self._scene.run:
            self._runs.append((str(self._scene.run["runbook"]), float(self._scene.run["created_at"])))
        return self._scene

    def on_call(self, scene: Scene) -> str:
        """Who had to be paged."""
        return on_call(self._read(), scene.opened_at or scene.at)

    def names(self) -> dict[str, str]:
        """What people are called, by id."""
        return {person.id: person.name or person.id for person in self._read().catalog.people.values()}

    def outlook(self) -> str:
        """When the next outage comes."""
        until, budget = self._spent_until()
        if budget is None:
            return f"The next outage comes in {self.pace.pause:.0f} s; Ctrl-C ends the demo."
        runbook = self._runs[-1][0]
        return (
            f"The budget of {runbook} is spent ({budget.runs} runs in {budget.per / 60:.0f} min): one more outage "
            f"would be left to people.\nThe next one comes at {datetime.fromtimestamp(until, UTC):%H:%M} UTC, or once "
            f"guards.budget is raised in\n{self._house.home.runbooks / runbook}.yaml. Ctrl-C ends the demo."
        )

    async def rest(self) -> None:
        """Wait until the next outage may come."""
        await self._clock.sleep(self.pace.pause)
        while self._spent_until()[1] is not None:
            await self._clock.sleep(REREAD)

    def _spent_until(self) -> tuple[float, Budget | None]:
        """Until when the runbook of the last story may not run again, and the budget that says so."""
        if not self._runs:
            return 0.0, None
        runbook, now = self._runs[-1][0], self._clock.now()
        found = self._read().runbooks.get(runbook)
        budget = None if found is None else found.budget
        if budget is None:
            return 0.0, None
        recent = [at for name, at in self._runs if name == runbook and at > now - budget.per]
        if len(recent) < budget.runs:
            return 0.0, None
        return recent[-budget.runs] + budget.per, budget

    def _read(self) -> Configuration:
        """The files as they are, or as they last were in order: somebody may be editing them."""
        with suppress(BrokenFiles, Refused, OSError):
            self._configuration = self._house.home.read()
        return self._configuration

    async def _until_ready(self, show: Show) -> None:
        """Wait until events are judged, and until what an earlier story left is over."""
        began, said = self._clock.now(), ""
        while True:
            await self._look(show)
            wanted = "" if self._scene.ready else "the first events to be judged"
            wanted = wanted or ("" if self._scene.calm else "the open incident to be over")
            if not wanted:
                return
            if wanted != said:
                said = wanted
                show.say(self._clock.now(), f"waiting for {wanted}")
            if not self._scene.ready and self._clock.now() - began > self.pace.ready:
                reasons = "; ".join(self._scene.health.get("reasons", ())) or "it does not answer"
                raise Refused(f"Fireline is not ready: {reasons}; see the logs in {self._house.home.path}")
            await self._clock.sleep(EVERY)

    async def _watch(self, show: Show, seconds: float) -> None:
        until = self._clock.now() + seconds
        while True:
            await self._look(show)
            if self._clock.now() >= until:
                return
            await self._clock.sleep(EVERY)

    async def _look(self, show: Show) -> None:
        scene = (await self._eyes.look(self._clock.now(), self._scene.since)).or_else(self._scene)
        for at, text in sorted(news(self._scene, scene), key=itemgetter(0)):
            show.say(at, text)
        self._scene = scene
        show.draw(scene)

    async def _acknowledge(self) -> bool:
        """Answer the page as the paged person would; whether it is done."""
        page = self._scene.delivered
        if not page or self._clock.now() - page["at"] < self.pace.reading:
            return False
        url = f"{self._house.fireline}/api/incidents/{self._scene.incident['number']}/acknowledge"
        return await self._eyes.post(url, {"person": page["person"]})

    async def _heal(self, show: Show) -> bool:
        """Mend the primary some time after the traffic left it; whether it is done."""
        moved = self._scene.cycle.get("first_on_fallback_at")
        verified = self._scene.step("verify").get("status") in ("done", "failed")
        if not moved or not verified or self._clock.now() - moved < self.pace.outage:
            return False
        show.say(self._clock.now(), "the primary model is mended; only its probes can show that")
        return await self._eyes.post(self._house.gateway + "/heal", {})
