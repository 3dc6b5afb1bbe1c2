"""What the demo sees at an instant, read from Fireline's HTTP API and the gateway; and what is new in it."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

Json = Mapping[str, Any]
NOTHING: Json = {}


@dataclass(frozen=True, slots=True)
class Scene:
    """One look. Empty mappings where nothing was heard."""

    at: float
    health: Json = field(default_factory=dict)
    stats: Json = field(default_factory=dict)
    incident: Json = field(default_factory=dict)
    route: Json = field(default_factory=dict)

    def or_else(self, before: "Scene") -> "Scene":
        """This look, with what did not answer as it was before."""
        return Scene(
            self.at,
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
        """The gateway's latest outage."""
        cycles = self.stats.get("cycles") or [NOTHING]
        found: Json = cycles[-1]
        return found

    @property
    def run(self) -> Json:
        """The incident's latest run."""
        runs = self.incident.get("run_list") or [NOTHING]
        found: Json = runs[0]
        return found

    def step(self, name: str) -> Json:
        """One step of the run."""
        steps: list[Json] = self.run.get("steps") or []
        return next((step for step in steps if step["id"] == name), NOTHING)

    @property
    def delivered(self) -> Json:
        """The first page that reached somebody: the page with its delivered attempt as `attempt`."""
        for page in self.incident.get("pages") or []:
            for attempt in page["attempts"]:
                if attempt["state"] == "delivered":
                    return {**page, "attempt": attempt}
        return NOTHING

    @property
    def over(self) -> bool:
        """The incident is resolved and everything is back on the primary."""
        return bool(self.incident.get("resolved_at")) and self.route.get("weights") == {"primary": 100}


class Eyes:
    """Looks through HTTP; whatever does not answer is empty in the scene, never a fault."""

    def __init__(self, session: aiohttp.ClientSession, fireline: str, gateway: str, service: str) -> None:
        self._session, self._fireline, self._gateway, self._service = session, fireline, gateway, service

    async def look(self, now: float, after: int = 0) -> Scene:
        """The scene now; incidents up to number `after` are of the past."""
        health, stats, routes, newest = await asyncio.gather(
            self.get(self._fireline + "/healthz"),
            self.get(self._gateway + "/stats"),
            self.get(self._fireline + "/api/routes"),
            self.get(self._fireline + "/api/incidents?limit=1"),
        )
        found = newest.get("incidents") or [NOTHING]
        incident = NOTHING
        if found[0].get("number", 0) > after:
            incident = await self.get(f"{self._fireline}/api/incidents/{found[0]['number']}")
        route = next((r for r in routes.get("routes", ()) if r["service"] == self._service), NOTHING)
        return Scene(now, health, stats, incident, route)

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
    yield from _of_incident(before.incident, now.incident)
    yield from _of_steps(before, now)
    if now.route and now.route.get("version") != before.route.get("version") and now.route["version"]:
        yield (
            now.route["changed_at"],
            f"route v{now.route['version']}: {shares(now.route['weights'])} ({now.route['reason']})",
        )


def _of_incident(before: Json, now: Json) -> Iterator[tuple[float, str]]:
    if not now:
        return
    if now.get("number") != before.get("number"):
        before = NOTHING
        yield now["opened_at"], f"{now['id']} opened, {now['severity']}: {now['title']}"
    known = {(page["number"], a["channel"], a["state"]) for page in before.get("pages", ()) for a in page["attempts"]}
    for page in now["pages"]:
        for attempt in page["attempts"]:
            if (page["number"], attempt["channel"], attempt["state"]) not in known and attempt["state"] != "sending":
                yield attempt["at"], f"page to {page['person']} by {attempt['channel']}: {attempt['state']}"
    if now.get("acknowledged_by") and not before.get("acknowledged_by"):
        yield now["acknowledged_at"], f"acknowledged by {now['acknowledged_by']}: paging stops"
    if now.get("resolved_at") and not before.get("resolved_at"):
        yield now["resolved_at"], f"{now['id']} resolved"


def _of_steps(before: Scene, now: Scene) -> Iterator[tuple[float, str]]:
    known = {step["id"]: step["status"] for step in before.run.get("steps", ())}
    if before.run.get("id") != now.run.get("id"):
        known = {}
        yield (
            now.run.get("created_at", now.at),
            f"run {now.run.get('id')} of {now.run.get('runbook')}: {now.run.get('allowed_by')}",
        )
    for step in now.run.get("steps", ()):
        if step["status"] in ("done", "failed", "undone") and known.get(step["id"]) != step["status"]:
            said = step["output"].get("summary") or step["error"] or step["status"]
            yield step["ended_at"] or now.at, f"step {step['id']}: {said}"
