"""`fireline demo`: a real Fireline, a real gateway whose model breaks, and the whole path in front of your eyes."""

import asyncio
import contextlib
import signal
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from rich.console import Console

from fireline.adapters.clock import SystemClock
from fireline.apps.bootstrap import plugins
from fireline.apps.demo_house import House, lived_in, port_or_any
from fireline.apps.demo_scene import Eyes, Scene, news
from fireline.apps.demo_show import Show
from fireline.apps.demo_story import checks, figures
from fireline.apps.faults import Refused
from fireline.apps.gateway import SERVICE
from fireline.domain.configuration import Configuration
from fireline.domain.rota import who
from fireline.engine.ports import Clock
from fireline.spec.loading import load

EVERY = 0.15
"""Seconds between two looks."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the story is told, in seconds: healthy traffic before the break, reading the page before answering it,
    the outage after the traffic moved, the pause between stories, and the longest a story may take.
    """

    healthy: float = 8.0
    reading: float = 5.0
    outage: float = 12.0
    pause: float = 15.0
    longest: float = 240.0
    ready: float = 120.0


ONCE = Pace(healthy=3.0, reading=1.0, outage=4.0, pause=0.0, longest=90.0)


def run(*, once: bool) -> int:
    """Run the demo; 0 when its story came out as promised (or was ended by a person), 1 when not."""
    console = Console(soft_wrap=not sys.stdout.isatty(), highlight=False)
    try:
        return asyncio.run(run_demo(Place((Path(".fireline") / "demo").absolute()), once, console, SystemClock()))
    except KeyboardInterrupt:
        return 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where the demo lives (an absolute path; emptied first), the port it would like, requests a second it makes."""

    home: Path
    port: int = 8321
    rate: float = 200.0


async def run_demo(place: Place, once: bool, console: Console, clock: Clock) -> int:
    """Start everything, tell the story once or until Ctrl-C, end everything. 0 when all went as promised."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    console.print("Starting Fireline and a model gateway (a few seconds) ...")
    telling = asyncio.create_task(_tell(place, once, console, clock))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({telling, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not telling.done():
        console.print("Ending the demo ...")
        telling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await telling
        return 0
    return await telling


async def _tell(place: Place, once: bool, console: Console, clock: Clock) -> int:
    async with (
        lived_in(place.home, port_or_any(place.port), place.rate, clock) as house,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5.0)) as session,
    ):
        console.print(f"Fireline is up: status page {house.fireline}/  rules {house.rules}  logs {house.home}")
        eyes = Eyes(session, house.fireline, house.gateway, SERVICE)
        director = Director(house, eyes, clock, ONCE if once else Pace())
        after = 0
        while True:
            with Show(console, house.fireline + "/") as show:
                scene = await director.story(show, after)
            verdicts = checks(scene, director.on_call(scene))
            show.end(verdicts, figures(scene))
            if once:
                return 0 if all(check.kept for check in verdicts) else 1
            after = int(scene.incident.get("number", after))
            console.print(f"The next outage comes in {director.pace.pause:.0f} s; Ctrl-C ends the demo.")
            await clock.sleep(director.pace.pause)


class Director:
    """Plays the parts that are not Fireline's: fate, which breaks the model, and the engineer who answers the page."""

    def __init__(self, house: House, eyes: Eyes, clock: Clock, pace: Pace) -> None:
        self._house, self._eyes, self._clock, self.pace = house, eyes, clock, pace
        self._scene = Scene(clock.now())

    async def story(self, show: Show, after: int) -> Scene:
        """One outage from beginning to end; the last scene, finished or not when its time is over."""
        self._scene = await self._eyes.look(self._clock.now(), after)
        await self._until_ready(show, after)
        show.say(self._clock.now(), f"traffic is healthy, {self._scene.rate:,.0f} events/s are judged")
        await self._watch(show, after, self.pace.healthy)
        await self._eyes.post(self._house.gateway + "/break", {})
        show.say(self._clock.now(), "the primary model breaks: slow answers and errors")
        began = self._clock.now()
        acknowledged = healed = False
        while not self._scene.over and self._clock.now() - began < self.pace.longest:
            await self._watch(show, after, EVERY)
            acknowledged = acknowledged or await self._acknowledge()
            healed = healed or await self._heal(show)
        return self._scene

    def on_call(self, scene: Scene) -> str:
        """Who the schedule says had to be paged, worked out here and not asked of Fireline."""
        configuration = self._configuration()
        at = scene.incident.get("opened_at") or scene.at
        (schedule,) = configuration.oncall.schedules.values()
        shift = who(schedule, datetime.fromtimestamp(at, UTC))
        return "" if shift is None else shift.person

    def _configuration(self) -> Configuration:
        loaded = load(self._house.rules, self._house.runbooks, plugins())
        if loaded.configuration is None:
            raise Refused("\n".join(str(problem) for problem in loaded.problems))
        return loaded.configuration

    async def _until_ready(self, show: Show, after: int) -> None:
        began = self._clock.now()
        if not self._scene.ready:
            show.say(began, "waiting for the first events to be judged")
        while not self._scene.ready:
            if self._clock.now() - began > self.pace.ready:
                reasons = "; ".join(self._scene.health.get("reasons", ())) or "it does not answer"
                raise Refused(f"Fireline is not ready: {reasons}; see the logs in {self._house.home}")
            await self._look(show, after)
            await self._clock.sleep(EVERY)

    async def _watch(self, show: Show, after: int, seconds: float) -> None:
        until = self._clock.now() + seconds
        while True:
            await self._look(show, after)
            if self._clock.now() >= until:
                return
            await self._clock.sleep(EVERY)

    async def _look(self, show: Show, after: int) -> None:
        scene = (await self._eyes.look(self._clock.now(), after)).or_else(self._scene)
        for at, text in sorted(news(self._scene, scene)):
            show.say(at, text)
        self._scene = scene
        show.draw(scene)

    async def _acknowledge(self) -> bool:
        """Answer the page as the paged person would; whether it is done."""
        page = self._scene.delivered
        if not page or self._clock.now() - page["attempt"]["at"] < self.pace.reading:
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
