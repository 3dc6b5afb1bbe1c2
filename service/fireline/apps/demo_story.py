"""What the demo's story has to come to: checks of the last scene, and the figures that people ask for."""

from dataclasses import dataclass

from fireline.apps.demo_scene import NOTHING, Scene, because, shares
from fireline.apps.gateway import SERVICE

FIRST = "first bad event "
"""What spans are counted from."""
COUNTED = "requests "
"""What the other figures count."""

STRAY = 0.01
"""The share of requests that may fail after the switch: callers on a busy machine wait for the machine as well."""


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, whether it was kept, and what was seen."""

    promise: str
    kept: bool
    seen: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that the story came to."""

    what: str
    value: str


def checks(scene: Scene, expected_person: str) -> list[Check]:
    """All checks of one finished story; `expected_person` is who the schedule says was on call."""
    return [*_about_the_incident(scene, expected_person), *_about_the_traffic(scene), *_about_the_end(scene)]


def _about_the_incident(scene: Scene, expected: str) -> list[Check]:
    incident, page = scene.incident, scene.delivered
    worst = incident.get("peak") or incident.get("severity")  # it may fall before it is over
    opened = incident.get("service") == SERVICE and worst == "outage"
    person, why = page.get("person", "nobody"), page.get("why", NOTHING)
    named = person == expected and why.get("service") == SERVICE
    return [
        Check("an incident is opened", opened, f"{incident.get('id', 'none')}: {incident.get('title', '')}"),
        Check(f"the person on call, {expected}, is named", named, because(why) if why else f"paged {person}"),
        Check("the page is delivered", bool(page), str(page.get("attempt", NOTHING).get("state", "no"))),
        Check(
            "an acknowledgement is taken",
            incident.get("acknowledged_by") == expected,
            f"by {incident.get('acknowledged_by') or 'nobody'}",
        ),
    ]


def _about_the_traffic(scene: Scene) -> list[Check]:
    cycle, route, verdict = scene.cycle, scene.route, scene.step("verify").get("output", NOTHING).get("verdict")
    moved, back = cycle.get("first_on_fallback_at"), cycle.get("back_on_primary_at")
    home = route.get("weights") == {"primary": 100} and route.get("lease") is None
    after, served = cycle.get("failed_after", 0), cycle.get("on_fallback", 0)
    stopped = bool(moved) and after <= served * STRAY
    return [
        Check("traffic goes to the fallback", bool(moved), f"{served:,} requests served there"),
        Check("failures stop with it", stopped, f"{after:,} requests failed after the switch"),
        Check("the verification says recovered", verdict == "recovered", str(verdict or "no verdict")),
        Check("traffic goes back to the primary", bool(back) and home, shares(route.get("weights", NOTHING))),
    ]


def _about_the_end(scene: Scene) -> list[Check]:
    run, incident = scene.run, scene.incident
    flaps = {one["signal"]["rule"]: one["flaps"] for one in incident.get("signals", NOTHING).values() if one["flaps"]}
    return [
        Check("the runbook succeeds", run.get("status") == "succeeded", str(run.get("status", "no run"))),
        Check("the incident is resolved", bool(incident.get("resolved_at")), str(incident.get("status", "none"))),
        Check("no signal flaps", bool(incident) and not flaps, str(flaps or "each cleared once")),
    ]


def figures(scene: Scene) -> list[Figure]:
    """How long everything took, from the first bad event on, and what callers felt."""
    cycle, page = scene.cycle, scene.delivered
    first, resolved = cycle.get("first_bad_at"), scene.incident.get("resolved_at")
    return [
        Figure(FIRST + "→ page delivered", _span(first, page.get("delivered_at"))),
        Figure(FIRST + "→ first request on the fallback", _span(first, cycle.get("first_on_fallback_at"))),
        Figure(FIRST + "→ incident resolved", _span(first, resolved)),
        Figure(COUNTED + "failed before the fallback", _count(cycle.get("failed_before"))),
        Figure(COUNTED + "failed after it", _count(cycle.get("failed_after"))),
        Figure(COUNTED + "served by the fallback", _count(cycle.get("on_fallback"))),
    ]


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def _span(start: float | None, end: float | None) -> str:
    if not start or not end:
        return "-"
    seconds = end - start
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else f"{seconds:.1f} s"
