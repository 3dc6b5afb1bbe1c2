"""Stories: read one from YAML, let it happen on a fake clock, and say what went otherwise than expected."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from fireline.spec.durations import seconds, written
from tests.stories import plain
from tests.stories.expecting import faults
from tests.stories.scene import CHANNELS, Scene, StoryError
from tests.stories.steps import happen

START = "2026-11-03T03:00:00+01:00"
"""When a story begins unless it says: a Tuesday, at 3 a.m. in Berlin."""

TOP = frozenset({"story", "config", "channels", "start", "steps"})


class WentOtherwiseError(AssertionError):
    """A story that went otherwise than expected; its text is for a tired person."""


@dataclass(frozen=True)
class Step:
    """One step and the line of the file it is on."""

    line: int
    at: float
    says: Mapping[str, Any]


@dataclass(frozen=True)
class Story:
    """A story as it was read."""

    path: Path
    title: str
    config: object
    start: float
    channels: tuple[str, ...]
    steps: tuple[Step, ...]


def read(path: Path) -> Story:
    """A story from a file; raises StoryError that says what is wrong with it."""
    text = path.read_text()
    given = plain.read(text)
    unknown = sorted(set(given) - TOP)
    if unknown:
        raise StoryError(f"{path.name}: unknown {unknown}; known: {sorted(TOP)}")
    start = datetime.fromisoformat(str(given.get("start", START)))
    steps = tuple(_steps(path, text, given["steps"]))
    channels = tuple(given.get("channels", CHANNELS))
    return Story(path, given["story"], given.get("config", "house"), start.timestamp(), channels, steps)


def _steps(path: Path, text: str, given: list[dict[str, Any]]) -> list[Step]:
    found: list[Step] = []
    for line, says in zip(plain.lines_of(text, "steps"), given, strict=True):
        at = seconds(says["at"]) if "at" in says else (found[-1].at if found else 0.0)
        if found and at < found[-1].at:
            raise StoryError(f"{path.name}:{line}: {says['at']} is before the step before it")
        found.append(Step(line, at, says))
    return found


async def tell(story: Story, folder: Path) -> None:
    """Let the story happen; raises WentOtherwiseError at the first step that is not as expected."""
    scene = Scene(folder, story.config, story.start, story.channels)
    try:
        for step in story.steps:
            await _take(scene, story, step)
        wrong = scene.broken_promises()
        if wrong:
            raise WentOtherwiseError(_failure(scene, story, story.steps[-1], wrong))
    finally:
        scene.store.close()


async def _take(scene: Scene, story: Story, step: Step) -> None:
    try:
        await scene.until(step.at)
        if "expect" in step.says:
            wrong = faults(scene, step.says["expect"])
        else:
            await happen(scene, step.says)
            await scene.settle()
            wrong = []
    except WentOtherwiseError:
        raise
    except AssertionError as fault:
        wrong = [str(fault)]
    except (StoryError, KeyError) as fault:
        raise StoryError(f"{story.path.name}:{step.line}: {fault}") from fault
    if wrong:
        raise WentOtherwiseError(_failure(scene, story, step, wrong))


def _failure(scene: Scene, story: Story, step: Step, wrong: list[str]) -> str:
    lines = [
        f"{story.path.parent.name}/{story.path.name}:{step.line}: {story.title}",
        f"at {written(step.at) if step.at else '0s'} it is not as expected:",
        *(f"  - {fault}" for fault in wrong),
        "",
        "what happened until then:",
    ]
    for incident in scene.incidents():
        lines.append(f"  {incident.id} {incident.service}: {incident.status.value}, {incident.severity}")
        lines += [f"    {line}" for line in scene.timeline(incident.number, stamped=True)]
    lines += ["messages that arrived:"]
    lines += [f"    {line}" for line in scene.arrivals()] or ["    none"]
    return "\n".join(lines)
