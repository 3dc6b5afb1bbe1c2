"""What the demo sees at an instant, read from Fireline's HTTP API and the gateway; and what is new in it."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from fireline.domain.runbooks import TERMINAL

Json = Mapping[str, Any]
NOTHING: Json = {}
TOLD = {"cleared", "mitigated", "flap", "unpaged", "nobody", "escalated", "exhausted", "undelivered"}
"""Lines of an incident's timeline that are news of their own."""
ENDED = {status.value for status in TERMINAL}
NO_RUN = 15.0
"""Seconds after which an incident without a run will not get one."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One look at the story that began at `since`; what is older is of an earlier one.

    Mappings are empty where nothing was heard.
    """

    at: float
    since: float = 0.0
    health: Json = field(default_factory=dict)
    stats: Json = field(default_factory=dict)
    incident: Json = field(default_factory=dict)
    route: Json = field(default_factory=dict)

    def or_else(self, before: "Scene") -> "Scene":
        """This look, with what did not answer as it was before."""
        return Scene(
            self.at,
            self.since,
            self.health or before.health,
            self.stats or before.stats,
            self.incident or before.incident,
            self.route or before.route,
        )

    @property
    def rate(self) -> float:
        """Events a second, as the stream worker counts them."""
        return float(self.health.get("roles", NOTHING).get("stream", NOTHING).get("events_per_second") or 0.0)

    @property
    def ready(self) -> bool:
        """Whether events flow, and are judged."""
        return self.rate > 0.0 and self.stats.get("requests", 0) >= 50

    @property
    def cycle(self) -> Json:
        """The outage of this story, as the gateway saw it."""
        cycles = self.stats.get("cycles") or [NOTHING]
        found: Json = cycles[-1]
        return found if found.get("broke_at", self.since) >= self.since else NOTHING

    @property
    def opened_at(self) -> float | None:
        """When the incident was opened, or reopened."""
        return opened_at(self.incident)

    @property
    def pages(self) -> list[Json]:
        """The pages of this story, the earliest first."""
        return [page for page in self.incident.get("pages") or [] if page["at"] >= self.since]

    @property
    def run(self) -> Json:
        """The latest run of this story."""
        runs = self.incident.get("run_list") or [NOTHING]
        found: Json = runs[0]
        return found if found.get("created_at", 0.0) >= self.since else NOTHING

    def step(self, name: str) -> Json:
        """One step of the run."""
        steps: list[Json] = self.run.get("steps") or []
        return next((step for step in steps if step["id"] == name), NOTHING)

    @property
    def delivered(self) -> Json:
        """The first page that reached somebody: with its delivered attempt, and when the channel had accepted it."""
        for page in self.pages:
            for attempt in page["attempts"]:
                if attempt["state"] == "delivered":
                    return {**page, "attempt": attempt, "delivered_at": self.delivered_at(page)}
        return NOTHING

    def delivered_at(self, page: Json) -> float | None:
        """When a channel had accepted a page, as the timeline tells it (an attempt's own time is when it was made)."""
        for entry in self.incident.get("timeline") or []:
            if entry["kind"] == "delivered" and entry["data"].get("page") == page["number"]:
                at: float = entry["at"]
                return at
        return None

    @property
    def calm(self) -> bool:
        """No incident is open, and everything goes to the primary."""
        closed = not self.incident or bool(self.incident.get("resolved_at"))
        return closed and self.route.get("weights", {"primary": 100}) == {"primary": 100}

    @property
    def over(self) -> bool:
        """The incident is resolved and everything is back on the primary."""
        return bool(self.incident.get("resolved_at")) and self.route.get("weights") == {"primary": 100}

    @property
    def lost(self) -> bool:
        """It cannot come out well any more: the run ended without success, or none came long after the incident."""
        ended = self.run.get("status") in ENDED - {"succeeded"}
        none = self.opened_at is not None and not self.run and self.at - self.opened_at > NO_RUN
        return ended or none


class Eyes:
    """Looks through HTTP; whatever does not answer is empty in the scene, never a fault."""

    def __init__(self, session: aiohttp.ClientSession, fireline: str, gateway: str, service: str) -> None:
        self._session, self._fireline, self._gateway, self._service = session, fireline, gateway, service

    async def look(self, now: float, since: float = 0.0) -> Scene:
        """The scene now, of a story that began at `since`."""
        health, stats, routes, newest = await asyncio.gather(
            self.get(self._fireline + "/healthz"),
            self.get(self._gateway + "/stats"),
            self.get(self._fireline + "/api/routes"),
            self.get(self._fireline + "/api/incidents?limit=20"),
        )
        ours = (one for one in newest.get("incidents") or () if one["service"] == self._service)
        found = next(ours, NOTHING)
        incident = NOTHING
        if (opened_at(found) or 0.0) >= since and found:
            incident = await self.get(f"{self._fireline}/api/incidents/{found['number']}")
        route = next((r for r in routes.get("routes", ()) if r["service"] == self._service), NOTHING)
        return Scene(now, since, health, stats, incident, route)

    async def get(self, url: str) -> Json:
        """A JSON object, empty when there is none."""
        try:
            async with self._session.get(url) as answer:
                found = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return NOTHING
        return found if isinstance(found, dict) else NOTHING

    async def post(self, url: str, body: Json) -> bool:
        """Whether it was accepted."""
        try:
            async with self._session.post(url, json=body) as answer:
                return answer.status < 300
        except (aiohttp.ClientError, TimeoutError):
            return False


def opened_at(incident: Json) -> float | None:
    """When an incident was opened, or reopened; None of nothing."""
    at: float | None = incident.get("reopened_at") or incident.get("opened_at")
    return at


def shares(weights: Json) -> str:
    """`primary 75 %, fallback 25 %`."""
    ordered = sorted(weights.items(), key=lambda item: -item[1])
    return ", ".join(f"{target} {share} %" for target, share in ordered if share)


def because(why: Json) -> str:
    """Why a page reached its person, on one line."""
    parts = [f"rule {why['rule']}", f"service {why['service']}", f"team {why['owner']}", f"policy {why['policy']}"]
    if why.get("schedule"):
        parts.append(f"schedule {why['schedule']} ({why.get('source') or 'on call'})")
    return " → ".join(parts)


def news(before: Scene, now: Scene) -> Iterator[tuple[float, str]]:
    """What happened between two looks, with its time."""
    if now.cycle.get("first_bad_at") and before.cycle.get("first_bad_at") != now.cycle["first_bad_at"]:
        yield now.cycle["first_bad_at"], "the primary fails its callers: first bad event"
    yield from _of_incident(before, now)
    yield from _of_steps(before, now)
    if now.route and now.route.get("version") != before.route.get("version") and now.route["version"]:
        yield (
            now.route["changed_at"],
            f"route v{now.route['version']}: {shares(now.route['weights'])} ({now.route['reason']})",
        )


def _of_incident(before: Scene, now: Scene) -> Iterator[tuple[float, str]]:
    was, incident = before.incident, now.incident
    if not incident:
        return
    if not was:
        how = "reopened" if incident.get("reopened") else "opened"
        yield now.opened_at or now.at, f"{incident['id']} {how}, {incident['severity']}: {incident['title']}"
    known = {(page["number"], a["channel"], a["state"]) for page in before.pages for a in page["attempts"]}
    for page in now.pages:
        for attempt in page["attempts"]:
            if (page["number"], attempt["channel"], attempt["state"]) not in known and attempt["state"] != "sending":
                at = now.delivered_at(page) if attempt["state"] == "delivered" else now.at
                yield at or now.at, f"page to {page['person']} by {attempt['channel']}: {attempt['state']}"
    if incident.get("acknowledged_by") and not was.get("acknowledged_by"):
        yield incident["acknowledged_at"], f"acknowledged by {incident['acknowledged_by']}: paging stops"
    for entry in incident.get("timeline", ())[len(was.get("timeline", ())) :]:
        if entry["kind"] in TOLD and entry["at"] >= now.since:
            yield entry["at"], _cleared(entry["data"]) if entry["kind"] == "cleared" else entry["text"]
    if incident.get("resolved_at") and not was.get("resolved_at"):
        yield incident["resolved_at"], f"{incident['id']} resolved"


def _cleared(data: Json) -> str:
    measures = (f"{name} {value:.4g}" for name, value in data["measures"].items() if value is not None)
    return f"{data['rule']} is clear again: {', '.join(measures)}"


def _of_steps(before: Scene, now: Scene) -> Iterator[tuple[float, str]]:
    run, was = now.run, before.run
    if not run:
        return
    if was.get("id") != run["id"]:
        was = NOTHING
        yield run["created_at"], f"run {run['id']} of {run['runbook']} begins: {run['allowed_by']}"
    known = {step["id"]: step["status"] for step in was.get("steps", ())}
    for step in run["steps"]:
        if step["status"] in ("done", "failed", "undone") and known.get(step["id"]) != step["status"]:
            said = step["output"].get("summary") or step["error"]
            if said:  # what a step did to a route is told by the route
                yield step["ended_at"] or now.at, f"step {step['id']}: {said}"
    if run["status"] in ENDED and was.get("status") != run["status"]:
        yield run.get("ended_at") or now.at, f"run {run['id']} {run['status']}: {run['reason']}"
