"""acme.maintenance, held to what every action promises."""

import json

from acme_fireline.maintenance import MAINTENANCE

from fireline.apps.action_contract import ActionContract
from fireline.engine.outgoing import Response


class Shop:
    """The shop's API, in memory."""

    def __init__(self) -> None:
        self.shown = False

    async def __call__(self, request):
        """What the shop answers."""
        if request.method == "PUT":
            self.shown = request.json["shown"]
        return Response(200, {}, json.dumps({"shown": self.shown}))


class TestMaintenance(ActionContract):
    """The contract, for this action."""

    name = "acme.maintenance"
    kind = MAINTENANCE

    def outside(self):
        """A shop as new."""
        return Shop()
