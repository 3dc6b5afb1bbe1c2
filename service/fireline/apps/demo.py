"""`fireline demo`: a real Fireline on the repository's rules, a real gateway whose model breaks, and the whole path."""

import asyncio
import contextlib
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from rich.console import Console

from fireline.adapters.clock import SystemClock
from fireline.apps.bootstrap import settings_with
from fireline.apps.demo_director import Director, Pace
from fireline.apps.demo_home import Home, hasten, lived_in_alone, read, settle_in
from fireline.apps.demo_house import House, lived_in, port_or_any
from fireline.apps.demo_scene import Eyes
from fireline.apps.demo_show import Show
from fireline.apps.demo_story import checks, figures
from fireline.apps.gateway import SERVICE
from fireline.engine.ports import Clock

ONCE = Pace(healthy=3.0, reading=1.0, outage=4.0, pause=0.0, longest=300.0, ready=600.0, settle="4s")
"""Nobody watches: short where nothing happens, and patient with a machine that has much else to do."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for: where the demo lives (an absolute path, emptied first), the rules and runbooks it copies, the
    port it would like, requests a second it makes, and where the display is kept as a picture.
    """

    home: Path
    rules: Path
    runbooks: Path
    once: bool = False
    picture: Path | None = None
    port: int = 8321
    rate: float = 100.0

    @property
    def pace(self) -> Pace:
        """How fast the story is told."""
        return ONCE if self.once else Pace()


def run(*, once: bool, rules: Path | None = None, runbooks: Path | None = None, picture: Path | None = None) -> int:
    """Run the demo; 0 when its story came out as promised (or was ended by a person), 1 when not."""
    console = Console(soft_wrap=not sys.stdout.isatty(), highlight=False)
    settings = settings_with(rules, runbooks)
    place = (Path(".fireline") / "demo").absolute()
    wish = Wish(place, settings.rules, settings.runbooks, once, picture, settings.web_port)
    read(wish.rules, wish.runbooks)
    try:
        with lived_in_alone(wish.home) as home:
            return asyncio.run(run_demo(wish, home, console, SystemClock()))
    except KeyboardInterrupt:
        return 0


async def run_demo(wish: Wish, home: Home, console: Console, clock: Clock) -> int:
    """Start everything, tell the story once or until Ctrl-C, end everything. 0 when all went as promised."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    telling = asyncio.create_task(_tell(wish, home, console, clock))
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


async def _tell(wish: Wish, home: Home, console: Console, clock: Clock) -> int:
    await asyncio.to_thread(settle_in, home, wish.rules, wish.runbooks)
    _greet(wish, home, console)
    async with (
        lived_in(home, port_or_any(wish.port), wish.rate, clock) as house,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5.0)) as session,
    ):
        eyes = Eyes(session, house.fireline, house.gateway, SERVICE)
        return await _stories(wish, house, Director(house, eyes, clock, wish.pace), console)


async def _stories(wish: Wish, house: House, director: Director, console: Console) -> int:
    while True:
        with Show(console, house.fireline + "/", director.names(), wish.picture) as show:
            scene = await director.story(show)
        verdicts = checks(scene, director.on_call(scene))
        show.end(verdicts, figures(scene))
        if wish.once:
            return 0 if all(check.kept for check in verdicts) else 1
        console.print(director.outlook(), markup=False)
        await director.rest()


def _greet(wish: Wish, home: Home, console: Console) -> None:
    """Say what is started, on which files, and what is not as they say."""
    before = hasten(home, wish.pace.settle)
    told = [
        "Fireline starts, and a model gateway beside it; this takes a few seconds.",
        f"  files     copies of {wish.rules} and {wish.runbooks}, which you may edit while it runs, in",
        f"            {home.path}",
        "  pages     go to fireline.log there; Slack is not used",
        f"  commands  FIRELINE_DATABASE={home.database} fireline explain INC-1",
    ]
    if before:
        told.append(f"  changed   response.settle in severities.yaml: {wish.pace.settle} instead of {before}")
    for line in told:
        console.print(line, markup=False, soft_wrap=True)
