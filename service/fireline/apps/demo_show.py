"""How the demo looks: a live picture on a terminal, plain lines in a pipe."""

import io
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from fireline.apps.demo_scene import NOTHING, Json, Scene, because, shares
from fireline.apps.demo_story import COUNTED, FIRST, Check, Figure, figures
from fireline.apps.output import SEVERITY_STYLES, STATUS_STYLES

LINES = 60
FEWEST = 3
"""Lines of the story that are shown on however small a terminal."""
BAR = 40
DONE = {"done": "✓", "failed": "✗", "started": "…", "waiting": "…", "undone": "↶", "skipped": "-"}
SIZE = (118, 38)
"""Columns and rows of the picture that is kept."""


class Show:
    """Shows scenes and news; on a terminal the picture is drawn anew, elsewhere each line is printed once.

    `names` are what people are called. With `kept` the picture of the hand-back is written there as SVG.
    """

    def __init__(
        self, console: Console, url: str = "", names: Mapping[str, str] | None = None, kept: Path | None = None
    ) -> None:
        self._console, self._url, self._names, self._kept = console, url, names or {}, kept
        self._lines: deque[str] = deque(maxlen=LINES)
        self._live = Live(console=console, refresh_per_second=8) if console.is_terminal else None

    def __enter__(self) -> "Show":
        self._context: AbstractContextManager[object] = self._live or nullcontext()
        self._context.__enter__()
        return self

    def __exit__(self, *why: object) -> None:
        self._context.__exit__(None, None, None)

    def say(self, at: float, text: str) -> None:
        """One line of the story."""
        line = f"{datetime.fromtimestamp(at, UTC):%H:%M:%S.%f}"[:-4] + f"  {text}"
        self._lines.append(line)
        if self._live is None:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def draw(self, scene: Scene) -> None:
        """The picture of now."""
        if self._live is not None:
            self._live.update(self._picture(scene, self._console))
        if self._kept is not None and telling(scene):
            keep(lambda console: self._picture(scene, console), self._kept)
            self._kept = None

    def _picture(self, scene: Scene, console: Console) -> RenderableType:
        return picture(scene, self._lines, self._url, self._names, console)

    def end(self, checked: Sequence[Check], numbers: Sequence[Figure]) -> None:
        """The tables at the end of a story."""
        for made in (figures_table(numbers), checks_table(checked)):
            self._console.print(made)


def telling(scene: Scene) -> bool:
    """The moment that shows most at once: the hand-back is under way, a part of the traffic is on the primary again."""
    weights = scene.stats.get("route", NOTHING).get("weights", NOTHING)
    return bool(scene.run) and 0 < int(weights.get("primary", 0)) < 100


def keep(made: Callable[[Console], RenderableType], path: Path) -> None:
    """Write what `made` draws on a console of `SIZE` as SVG."""
    width, height = SIZE
    console = Console(record=True, width=width, height=height, file=io.StringIO(), force_terminal=True)
    console.print(made(console))
    console.save_svg(str(path), title="fireline demo")


def picture(scene: Scene, lines: Iterable[str], url: str, names: Mapping[str, str], console: Console) -> RenderableType:
    """Everything at once, in the height that `console` has; of the story as many of its last lines as there is room."""
    head = Text.assemble(("Fireline", "bold"), "  ", (url, "cyan"), f"  {scene.rate:,.0f} events/s judged  ")
    head.append("Ctrl-C ends the demo", style="dim")
    head.truncate(console.width, overflow="ellipsis")
    above = Group(head, traffic(scene), card(scene, names), so_far(scene))
    taken = len(console.render_lines(above, console.options))
    room = max(FEWEST, console.height - taken - 3)
    story = Text("\n".join(list(lines)[-room:]), overflow="ellipsis", no_wrap=True)
    return Group(above, Panel(story, title="what happened (UTC)", box=box.ROUNDED))


def traffic(scene: Scene) -> Panel:
    """Where requests go, and how the primary does."""
    weights = scene.stats.get("route", NOTHING).get("weights", NOTHING)
    primary = int(weights.get("primary", 0)) * BAR // 100
    bar = Text("█" * primary, style="green") + Text("█" * (BAR - primary), style="yellow")
    broken = scene.stats.get("primary_broken")
    state = Text("the primary is broken", style="bold red") if broken else Text("the primary is well", style="green")
    reason = f"   route v{scene.route['version']}: {scene.route['reason']}" if scene.route.get("version") else ""
    body = Text.assemble(bar, f"  {shares(weights)}\n", state, reason, overflow="ellipsis", no_wrap=True)
    return Panel(body, title="fraud-scoring: traffic at the gateway", box=box.ROUNDED)


def card(scene: Scene, names: Mapping[str, str]) -> Panel:
    """The incident as its responders see it."""
    incident = scene.incident
    if not incident:
        return Panel(Text("nothing is open", style="green"), title="incident", box=box.ROUNDED)
    severity, status = incident["severity"], incident["status"]
    body = Text.assemble((incident["title"], "bold"), "\n")
    body.append(severity, style=SEVERITY_STYLES.get(severity, "")).append("  ")
    body.append(status, style=STATUS_STYLES.get(status, "")).append(_taken_by(incident, names) + "\n")
    for page in scene.pages[:1]:
        body.append("paged ").append(names.get(page["person"], page["person"]), style="bold")
        body.append(f" because {because(page['why'])}\n")
    body.append(_run(scene))
    return Panel(body, title=incident["id"], box=box.ROUNDED)


def _taken_by(incident: Json, names: Mapping[str, str]) -> str:
    person = incident.get("acknowledged_by")
    return f"  taken by {names.get(person, person)}" if person else ""


def _run(scene: Scene) -> Text:
    if not scene.run:
        return Text("no runbook runs", style="dim")
    steps = "  ".join(f"{DONE.get(step['status'], '·')} {step['id']}" for step in scene.run["steps"])
    body = Text(f"{scene.run['runbook']} {scene.run['status']}:  {steps}")
    output = scene.step("verify").get("output", NOTHING)
    if output.get("verdict"):
        body.append("\nverification: ").append(output["verdict"], style="bold")
        body.append(f" on {output.get('samples', 0):,} events from after the change")
    return body


def so_far(scene: Scene) -> Panel:
    """The figures as far as they are known."""
    drawn = Table.grid(padding=(0, 1))
    for justify in ("left", "right", "left", "right"):
        drawn.add_column(justify=justify, style="bold" if justify == "right" else "", no_wrap=True)
    numbers = figures(scene)
    for span, count in zip(numbers[:3], numbers[3:], strict=True):
        drawn.add_row(span.what.removeprefix(FIRST), span.value + "  ", count.what.removeprefix(COUNTED), count.value)
    return Panel(drawn, title=f"figures: times from the {FIRST.strip()}; {COUNTED.strip()}", box=box.ROUNDED)


def figures_table(numbers: Sequence[Figure]) -> Table:
    """The figures."""
    drawn = Table(box=box.SIMPLE, show_header=False)
    drawn.add_column()
    drawn.add_column(justify="right", style="bold")
    for number in numbers:
        drawn.add_row(number.what, number.value)
    return drawn


def checks_table(checked: Sequence[Check]) -> Table:
    """The checks."""
    drawn = Table("", "check", "seen", box=box.SIMPLE)
    for check in checked:
        verdict = Text("pass", style="green") if check.kept else Text("FAIL", style="bold red")
        drawn.add_row(verdict, Text(check.promise), Text(check.seen, overflow="fold"))
    return drawn
