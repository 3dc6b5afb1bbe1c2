"""route.get and route.set: where a service's traffic goes.

`route.get` reads the weights in force, for `undo` and for going back. `route.set` sends traffic elsewhere; anything
but everything on the primary is a lease, which ends. Preflight refuses targets that the service does not have, that
are unhealthy, or that have no room: the requests that would come, on top of those that this and other services have
moved there already, against the `capacity` of the catalog. With `over_capacity: fit` as much goes as there is room
for. When no requests of the service are reported, the traffic moves, and the output `capacity` says so. A repetition
changes nothing, also when somebody else has changed the route meanwhile.
"""

import asyncio
from typing import Literal

from pydantic import Field

from fireline.actions.schema import ActionKind, Options, Output, Ports, away
from fireline.domain.outcomes import Done, Failed, Outcome
from fireline.engine import routes
from fireline.engine.outward import StepContext
from fireline.engine.ports import StaleVersion, Unavailable
from fireline.spec.durations import PositiveDuration

GET_EXAMPLE = """\
id: before
uses: route.get
with: {service: fraud-scoring}
"""

SET_EXAMPLE = """\
id: reroute
uses: route.set
with: {service: fraud-scoring, to: {fallback: 100}, lease: 30m}
undo: {uses: route.set, with: {service: fraud-scoring, to: {primary: 100}}}
"""


class GetOptions(Options):
    """Whose route."""

    service: str = Field(min_length=1, description="a service of the catalog")


class SetOptions(Options):
    """Whose route, and where to."""

    service: str = Field(min_length=1, description="a service of the catalog")
    to: dict[str, int] = Field(min_length=1, description="percent of the traffic by target; sums to 100")
    lease: PositiveDuration | None = Field(None, description="how long a fallback is held; the default of the rules")
    reason: str = Field("", max_length=500, description="why, for people")
    over_capacity: Literal["refuse", "fit"] = Field(
        "refuse", description="when more would come than fits: move nothing, or as much as fits"
    )


class RouteGet:
    """Reads a route."""

    mutates = False
    at_once = True

    def __init__(self, ports: Ports) -> None:
        self._store = ports.store
        self._settings = ports.settings

    async def perform(self, options: object, context: StepContext) -> Outcome:
        """The weights in force; Failed for a service that is not in the catalog."""
        assert isinstance(options, GetOptions)
        try:
            return await asyncio.to_thread(self._read, options)
        except (Unavailable, StaleVersion) as fault:
            return away(context, fault)

    def _read(self, options: GetOptions) -> Outcome:
        service = self._settings.current.catalog.service(options.service)
        if service is None:
            return Failed(f"there is no service {options.service!r} in the catalog")
        with self._store.reading() as tx:
            route = routes.current(tx, service)
        fallback = route.lease is not None
        return Done({"route": dict(route.weights), "version": route.version, "on_fallback": fallback})


class RouteSet:
    """Changes a route, once per key."""

    mutates = True

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def perform(self, options: object, context: StepContext) -> Outcome:
        """Change it, and tell the incident; Failed with preflight's reason."""
        assert isinstance(options, SetOptions)
        if context.dry_run:
            return Done({"route": dict(options.to), "version": 0, "capacity": ""})
        try:
            return await asyncio.to_thread(self._change, options, context)
        except (Unavailable, StaleVersion) as fault:
            return away(context, fault)

    async def look(self, options: object, context: StepContext) -> Outcome:
        """Whether the weights are in force already."""
        assert isinstance(options, SetOptions)
        found = await RouteGet(self._ports).perform(GetOptions(service=options.service), context)
        if not isinstance(found, Done):
            return found
        there = found.output["route"] == {target: share for target, share in options.to.items() if share}
        seen = {"route": found.output["route"], "version": found.output["version"], "capacity": ""}
        return Done(seen) if there else Failed("the route is another")

    def _change(self, options: SetOptions, context: StepContext) -> Outcome:
        with self._ports.store.transaction() as tx:
            result = routes.change_route(
                tx,
                self._ports.settings.current,
                options.service,
                options.to,
                by=f"run:{context.run}",
                reason=options.reason or f"step {context.step}",
                now=context.now,
                incident=context.incident,
                lease_for=options.lease,
                key=context.key,
                fit=options.over_capacity == "fit",
            )
            if isinstance(result, routes.Refused):
                return Failed(result.reason)
            if result.report is not None:
                self._ports.responder.handle_in(tx, result.report)
        told = "; ".join(result.notes)
        return Done({"route": dict(result.route.weights), "version": result.route.version, "capacity": told})


_ROUTE = {
    "route": Output("mapping", "percent of the traffic by target"),
    "version": Output("int", "counts the changes of the route"),
}
KINDS = {
    "route.get": ActionKind(
        options=GetOptions,
        outputs={**_ROUTE, "on_fallback": Output("bool", "whether a lease is in force")},
        mutates=False,
        build=RouteGet,
        page=__doc__,
        example=GET_EXAMPLE,
    ),
    "route.set": ActionKind(
        options=SetOptions,
        outputs={
            **_ROUTE,
            "capacity": Output("string", "what the targets take of their capacity, or why that was not compared"),
        },
        mutates=True,
        build=RouteSet,
        page=__doc__,
        example=SET_EXAMPLE,
    ),
}
