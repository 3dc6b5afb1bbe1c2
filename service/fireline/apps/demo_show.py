"""How the demo looks: a live picture on a terminal, plain lines in a pipe."""

from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from fireline.apps.demo_scene import NOTHING, Scene, because, shares
from fireline.apps.demo_story import Check, Figure
from fireline.apps.output import SEVERITY_STYLES, STATUS_STYLES

LINES = 14
DONE = {"done": "✓", "failed": "✗", "started": "…", "waiting": "…", "undone": "↶", "skipped": "-"}


class Show:
    """Shows scenes and news; on a terminal the picture is drawn anew, elsewhere each line is printed once."""

    def __init__(self, console: Console, url: str = "") -> None:
        self._console, self.url = console, url
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
            self._live.update(picture(scene, self._lines, self.url))

    def end(self, checked: Sequence[Check], numbers: Sequence[Figure]) -> None:
        """The tables at the end of a story."""
        for made in (figures_table(numbers), checks_table(checked)):
            self._console.print(made)


def picture(scene: Scene, lines: Iterable[str], url: str) -> RenderableType:
    """Everything at once."""
    head = Text.assemble(("Fireline", "bold"), "  ", (url, "cyan"), f"  {scene.rate:,.0f} events/s  ")
    head.append("Ctrl-C ends the demo", style="dim")
    story = Text("\n".join(lines), overflow="ellipsis", no_wrap=True)
    return Group(head, traffic(scene), card(scene), Panel(story, title="what happened", box=box.ROUNDED))


def traffic(scene: Scene) -> Panel:
    """Where requests go, and how the gateway's callers do."""
    weights = scene.stats.get("route", NOTHING).get("weights", NOTHING)
    primary = int(weights.get("primary", 0))
    bar = Text("█" * (primary * 40 // 100), style="green") + Text("█" * (40 - primary * 40 // 100), style="yellow")
    broken = scene.stats.get("primary_broken")
    state = Text("primary is broken", style="bold red") if broken else Text("primary is well", style="green")
    cycle = scene.cycle
    felt = f"failed before the fallback {cycle.get('failed_before', 0)}, after it {cycle.get('failed_after', 0)}"
    body = Text.assemble(bar, f"  {shares(weights)}\n", state, f"   {felt}")
    return Panel(body, title="fraud-scoring: traffic at the gateway", box=box.ROUNDED)


def card(scene: Scene) -> Panel:
    """The incident as its responders see it."""
    incident = scene.incident
    if not incident:
        return Panel(Text("nothing is open", style="green"), title="incident", box=box.ROUNDED)
    severity, status = incident["severity"], incident["status"]
    body = Text.assemble((incident["title"], "bold"), "\n")
    body.append(severity, style=SEVERITY_STYLES.get(severity, "")).append("  ")
    body.append(status, style=STATUS_STYLES.get(status, "")).append("\n")
    for page in incident["pages"][:1]:
        body.append(f"paged {page['person']} because {because(page['why'])}\n")
    steps = [f"{DONE.get(step['status'], '·')} {step['id']}" for step in scene.run.get("steps", ())]
    body.append(f"{scene.run.get('runbook', 'no runbook')}: " + "  ".join(steps))
    return Panel(body, title=incident["id"], box=box.ROUNDED)


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
