"""acme.maintenance: show Acme's shop a maintenance page, or take it away.

`acme.maintenance` reads what the shop shows, sets it, and waits until the shop says so, at most `within`. Its output
`before` is what an `undo` sets again.
"""

from collections.abc import Mapping

from pydantic import Field

from fireline.actions.calls import Api, ApiOptions
from fireline.actions.schema import ActionKind, Output, Ports
from fireline.actions.writing import GRACE, POLL, State, Write
from fireline.domain.outcomes import Done, Failed, Outcome, Waiting
from fireline.engine.outward import StepContext
from fireline.spec.durations import PositiveDuration


class MaintenanceOptions(ApiOptions):
    """Whether the page is shown."""

    shown: bool = Field(description="whether customers see the page")
    within: PositiveDuration = Field(60.0, description="how long to wait until the shop says so")

    def patience(self) -> float:
        """Seconds the step may rightly take."""
        return self.within + GRACE


class Maintenance(Write):
    """Sets it. `Write` journals each stage before the next, gives `before` to an undo and knows when it is too late."""

    def __init__(self, ports: Ports) -> None:
        self._fetch = ports.fetch

    def rehearsed(self, options: object) -> Done:
        """What a rehearsal says."""
        assert isinstance(options, MaintenanceOptions)
        return Done({"before": {}, "shown": options.shown})

    async def read(self, options: object, context: StepContext) -> State | Outcome:
        """What the shop shows now."""
        assert isinstance(options, MaintenanceOptions)
        return await self._shown(options, context)

    async def apply(self, options: object, context: StepContext, before: State) -> State | Outcome:
        """Set it; the request carries the step's key as `Idempotency-Key`."""
        assert isinstance(options, MaintenanceOptions)
        sent = await Api(self._fetch, options, context).send("PUT", "/maintenance", {"shown": options.shown})
        return sent if isinstance(sent, Outcome) else {}

    async def observe(self, options: object, context: StepContext, before: State, applied: State) -> Outcome:
        """Whether the shop says so."""
        assert isinstance(options, MaintenanceOptions)
        found = await self._shown(options, context)
        if isinstance(found, Outcome):
            return found
        if found["shown"] is not options.shown:
            return Waiting(POLL, "the shop does not say so yet")
        return Done({"shown": options.shown})

    async def _shown(self, options: MaintenanceOptions, context: StepContext) -> State | Outcome:
        found = await Api(self._fetch, options, context).get("/maintenance")
        if isinstance(found, Outcome):
            return found
        shown = found.get("shown") if isinstance(found, Mapping) else None
        return {"shown": shown} if isinstance(shown, bool) else Failed("the shop does not say what it shows")


MAINTENANCE = ActionKind(
    options=MaintenanceOptions,
    outputs={
        "before": Output("mapping", "`shown`, as it was"),
        "shown": Output("bool", "whether the page is shown now"),
    },
    mutates=True,
    build=Maintenance,
    page=__doc__,
    example="""\
id: act
uses: acme.maintenance
with: {url: "https://shop.acme.example", auth: {bearer: secret:SHOP}, shown: true}
undo:
  uses: acme.maintenance
  with: {url: "https://shop.acme.example", auth: {bearer: secret:SHOP}, shown: "{{ steps.act.before.shown }}"}
""",
)
