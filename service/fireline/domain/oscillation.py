"""Oscillation: runs that take a target back to where other runs took it away from, again and again. Pure.

It is told from the journal alone. A move is what one run did to one target in the end: a run that moves traffic away
and hands it back has moved nothing, and neither has one that was undone. A move to where an earlier one of the same
stretch of time had begun is a reversal. So steps in one direction are none, and A -> B -> A -> B are two: the run that
would make the third is not started.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from fireline.domain.durations import written
from fireline.domain.runbooks import Oscillation, Run, StepRun, StepStatus

OSCILLATING = "oscillating"
"""How the reason of a run begins that was refused for it."""

Canonical = Callable[[str], str]
"""A service by its id, whatever it was called."""


@dataclass(frozen=True, slots=True)
class Move:
    """What one run did to one target: its state before and after, in words that are equal where the states are.

    `before` is empty where nobody knows it; `at` in seconds since the epoch.
    """

    target: str
    before: str
    after: str
    at: float
    run: int
    runbook: str


@dataclass(frozen=True, slots=True)
class Coming:
    """What a run would do to a target; `after` is empty where that cannot be told before."""

    target: str
    after: str = ""


def thing_of(options: Mapping[str, object], canonical: Canonical = str) -> str | None:
    """What a step with these options acts on, None where they name nothing that is known."""
    named = {name: value for name, value in options.items() if isinstance(value, str) and value}
    if "deployment" in named:
        where = "/".join(named[name] for name in ("context", "namespace", "deployment") if name in named)
        return f"deployment {where}"
    if "flag" in named:
        where = "/".join(named[name] for name in ("url", "project", "environment") if name in named)
        return f"flag {named['flag']}" + (f" of {where}" if where else "")
    if "model" in named and "alias" in named:
        return f"alias {named['model']}@{named['alias']}" + (f" of {named['url']}" if "url" in named else "")
    if "endpoint" in named:
        return f"weights of {named['endpoint']}" + (f" of {named['url']}" if "url" in named else "")
    return f"route of {canonical(named['service'])}" if "service" in named else None


def coming_of(options: Mapping[str, object], canonical: Canonical = str) -> Coming | None:
    """What a step with these options would move, None where it moves nothing that goes to and fro."""
    thing = thing_of(options, canonical)
    if thing is None:
        return None
    to = options.get("to")
    if thing.startswith(("route", "weights")):
        return Coming(thing, _weights(to)) if isinstance(to, Mapping) else None
    if thing.startswith("flag"):
        return Coming(thing, _value(options["value"])) if "value" in options else None
    if thing.startswith("alias"):
        return Coming(thing, _version(options.get("version", to)) if "version" in options or to else "")
    there = options.get("replicas", to.get("replicas") if isinstance(to, Mapping) else None)
    return None if there is None else Coming(f"scale of {thing}", _pods(there))


def _weights(weights: Mapping[object, object]) -> str:
    shares = sorted((str(target), share) for target, share in weights.items() if share)
    return ", ".join(f"{target} {share} %" for target, share in shares)


def _saved_weights(found: object) -> str:
    return _weights(found) if isinstance(found, Mapping) else ""


def _value(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _version(version: object) -> str:
    return "no version" if version is None else f"version {version}"


def _pods(count: object) -> str:
    return f"{count} pods"


def moves_of(run: Run, canonical: Canonical = str) -> tuple[Move, ...]:
    """What the run has done to each target so far, in the end; in the order of the last of it."""
    net: dict[str, Move] = {}
    done = [step for step in run.steps if step.status is StepStatus.DONE and step.ended_at is not None]
    for step in sorted(done, key=lambda each: (each.ordinal, each.ended_at or 0.0)):
        move = _move(run, step, canonical)
        if move is not None:
            first = net.pop(move.target, move)
            net[move.target] = replace(move, before=first.before)
    return tuple(move for move in net.values() if move.before != move.after)


def _move(run: Run, step: StepRun, canonical: Canonical) -> Move | None:
    coming, before = coming_of(step.rendered, canonical), step.output.get("before")
    if coming is None:
        return None
    if coming.target.startswith("alias") and not isinstance(before, Mapping):
        return None  # it was only read
    after, route = coming.after, step.output.get("route")
    if coming.target.startswith("route") and isinstance(route, Mapping):
        after = _weights(route)  # as much as there was room for
    if not after and "version" in step.output:
        after = _version(step.output["version"])
    found = _before(coming.target, before if isinstance(before, Mapping) else {})
    if not found:
        back = coming_of(step.undo_rendered, canonical)
        found = back.after if back is not None and back.target == coming.target else ""
    return Move(coming.target, found, after, step.ended_at or 0.0, run.id, run.runbook) if after else None


def _before(target: str, saved: Mapping[str, object]) -> str:
    for prefix, name, told in (
        ("flag", "value", _value),
        ("alias", "version", _version),
        ("scale", "replicas", _pods),
        ("weights", "weights", _saved_weights),
    ):
        if target.startswith(prefix) and name in saved:
            return told(saved[name])
    return ""


def history(runs: Iterable[Run], target: str, since: float, canonical: Canonical = str) -> tuple[Move, ...]:
    """What runs did to a target since then, the oldest first; what nobody saw before is as it was left."""
    found = [move for run in runs for move in moves_of(run, canonical) if move.target == target and move.at >= since]
    moves: list[Move] = []
    for move in sorted(found, key=lambda each: (each.at, each.run)):
        moves.append(move if move.before or not moves else replace(move, before=moves[-1].after))
    return tuple(move for move in moves if move.before != move.after)


def reversals(moves: Sequence[Move]) -> tuple[Move, ...]:
    """Those that end where an earlier one began."""
    return tuple(
        move for index, move in enumerate(moves) if any(move.after == earlier.before for earlier in moves[:index])
    )


def swinging(moves: Sequence[Move], coming: Coming, limit: Oscillation) -> str | None:
    """Why a run that would do this is one reversal too many, None when it is not. `moves` are of its target, in `per`.

    Where it goes to, where that cannot be told, is taken to be back.
    """
    back = reversals(moves)
    if not moves or len(back) + 1 < limit.reversals:
        return None
    if coming.after and (coming.after == moves[-1].after or all(coming.after != move.before for move in moves)):
        return None
    to = f", to {coming.after}" if coming.after else ""
    times = "once" if len(back) == 1 else f"{len(back)} times"
    told = "; ".join(_told(move) for move in moves[-10:])
    again = f"was moved back {times} in {written(limit.per)}, and this run would move it back once more{to}"
    return f"{OSCILLATING}: {coming.target} {again} ({told}); a person has to decide"


def _told(move: Move) -> str:
    at = datetime.fromtimestamp(move.at, UTC).strftime("%H:%M:%S")
    return f"{at} UTC run {move.run} of {move.runbook}: {move.before or 'unknown'} -> {move.after}"
