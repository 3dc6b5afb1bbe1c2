"""notify: a line in the thread of the incident, in the rooms of a team.

`notify` says `text` in the rooms of team `to` (`owner` is the team that answers for the incident; `incident` is every
room that the incident is told in, those of its policy among them), on the channels that are configured. A run without
an incident has no thread, so nobody is told and the output `told` is empty: telling people never fails a run.
"""

import asyncio

from pydantic import Field

from fireline.actions.schema import ActionKind, Options, Output, Ports, away
from fireline.domain.effects import Say
from fireline.domain.outcomes import Done, Outcome
from fireline.engine.outward import StepContext
from fireline.engine.ports import StaleVersion, Unavailable

EXAMPLE = """\
id: tell
uses: notify
with: {text: "Traffic is back on the primary.", to: owner}
"""


class NotifyOptions(Options):
    """What to say, and to whom."""

    text: str = Field(min_length=1, max_length=3000, description="the line")
    to: str = Field("owner", min_length=1, description="a team, `owner` or `incident`")


class Notify:
    """Queues one message per room, once."""

    mutates = False

    def __init__(self, ports: Ports) -> None:
        self._store = ports.store
        self._settings = ports.settings
        self._responder = ports.responder

    async def perform(self, options: object, context: StepContext) -> Outcome:
        """Queue it; a repetition has the same keys and adds nothing."""
        assert isinstance(options, NotifyOptions)
        if context.dry_run or context.incident is None:
            return Done({"told": []})
        try:
            told = await asyncio.to_thread(self._say, options, context, context.incident)
        except (Unavailable, StaleVersion) as fault:
            return away(context, fault)
        return Done({"told": told})

    def _say(self, options: NotifyOptions, context: StepContext, number: int) -> list[str]:
        teams = self._settings.current.catalog.teams
        with self._store.transaction() as tx:
            incident = tx.incident(number)
            owner = "" if incident is None else incident.owner
            team = teams.get(owner if options.to in ("owner", "incident") else options.to)
            known = () if team is None else tuple(team.channels.items())
            others = incident.rooms if incident is not None and options.to == "incident" else ()
            listed = dict.fromkeys((*known, *others))
            rooms = [(channel, room) for channel, room in listed if room and self._responder.configured(channel)]
            for channel, room in rooms:
                key = f"{context.key}/say/{channel}:{room}"
                tx.enqueue(Say(key, number, channel, room, options.text), context.now)
        return [f"{channel}:{room}" for channel, room in rooms]


KINDS = {
    "notify": ActionKind(
        options=NotifyOptions,
        outputs={"told": Output("list", "the rooms that were told")},
        mutates=False,
        build=Notify,
        page=__doc__,
        example=EXAMPLE,
    )
}
