"""The composition root: settings into the parts that every role and command shares."""

import asyncio
import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from fireline.actions import SCHEMAS as ACTIONS
from fireline.adapters.clock import SystemClock
from fireline.adapters.database import DatabaseStore, open_store
from fireline.adapters.kafka_connection import Connection
from fireline.apps.faults import Refused
from fireline.apps.files import Files
from fireline.apps.settings import Settings, load_settings
from fireline.channels import CHANNELS
from fireline.channels.console import ConsoleSettings
from fireline.channels.slack import SlackSettings
from fireline.domain.catalog import Person
from fireline.engine.ports import Action, Channel
from fireline.engine.respond import Responder
from fireline.engine.runs import Runs
from fireline.measures import FAMILIES
from fireline.spec.loading import read_runbook
from fireline.spec.plugins import ActionSchema, MeasureSchema, Plugins


def plugins() -> Plugins:
    """What YAML files may name: measure families, actions, channels."""
    return Plugins(
        measures={
            name: MeasureSchema(
                family.settings, takes_of=family.needs == "of", takes_condition=family.needs == "condition"
            )
            for name, family in FAMILIES.items()
        },
        actions={
            name: ActionSchema(action.options, outputs=action.outputs, mutates=action.mutates)
            for name, action in ACTIONS.items()
        },
        channels=frozenset(CHANNELS),
    )


def settings_with(rules: Path | None = None, runbooks: Path | None = None) -> Settings:
    """The environment's settings, with what the command line says instead."""
    given = {"rules": rules, "runbooks": runbooks}
    return load_settings(**{name: value for name, value in given.items() if value is not None})


@dataclass(frozen=True, slots=True)
class Parts:
    """What every role and command needs."""

    settings: Settings
    clock: SystemClock
    store: DatabaseStore
    files: Files
    responder: Responder

    def person(self, name: str | None) -> Person:
        """The catalog's person of this id, or of this system user's name; raises Refused naming those known."""
        people = self.files.current.catalog.people
        asked = name or getpass.getuser()
        if asked not in people:
            known = ", ".join(sorted(people)) or "nobody"
            raise Refused(f"{asked!r} is not in the catalog's people ({known}); say who you are with --as PERSON")
        return people[asked]


def assemble(settings: Settings) -> Parts:
    """Open the database, read the files; raises what `faults.told` knows how to tell."""
    clock = SystemClock()
    files = Files(settings.rules, settings.runbooks, plugins(), clock)
    store = open_store(settings.database)
    return Parts(settings, clock, store, files, Responder(store, files, clock, configured_channels(settings)))


def configured_channels(settings: Settings) -> frozenset[str]:
    """The channels that pages may go to: the console always, Slack once its token is set."""
    return frozenset({"console"} | ({"slack"} if settings.slack_bot_token is not None else set()))


def channels_of(parts: Parts) -> Mapping[str, Channel]:
    """The configured channels, ready to deliver; none of them connects before its first message."""
    settings = parts.settings
    given: dict[str, BaseModel] = {"console": ConsoleSettings()}
    if settings.slack_bot_token is not None:
        given["slack"] = SlackSettings(bot_token=settings.slack_bot_token, base_url=settings.slack_base_url)
    return {name: CHANNELS[name].build(chosen, parts.clock) for name, chosen in given.items()}


def runs_of(parts: Parts, actions: Mapping[str, Action], owner: str) -> Runs:
    """The engine of runs over these actions; without actions it can answer and abort, not drive."""
    known = plugins()
    return Runs(
        store=parts.store,
        settings=parts.files,
        clock=parts.clock,
        actions=actions,
        options={name: schema.options for name, schema in known.actions.items()},
        read_runbook=lambda text: read_runbook(text, known),
        responder=parts.responder,
        owner=owner,
    )


BROKER_FACT = "broker"
"""Where `fireline up` writes down which broker it uses, so that commands beside it find the embedded one."""


def connection_of(parts: Parts) -> Connection:
    """How to reach Kafka: as configured, else the broker of the running `fireline up`; raises Refused when neither."""
    settings = parts.settings
    embedded = settings.kafka is None or bool(settings.kafka_generation)
    password = settings.kafka_password.get_secret_value() if settings.kafka_password else None
    return Connection(
        bootstrap=settings.kafka or str(_broker(parts)["bootstrap"]),
        protocol=settings.kafka_protocol,
        mechanism=settings.kafka_sasl_mechanism,
        user=settings.kafka_user,
        password=password,
        ca=settings.kafka_ssl_ca,
        embedded=embedded,
    )


def generation_of(parts: Parts) -> str:
    """The name of this start of the embedded broker; empty for a real one."""
    if parts.settings.kafka is None:
        return str(_broker(parts)["generation"])
    return parts.settings.kafka_generation or ""


def _broker(parts: Parts) -> dict[str, object]:
    with parts.store.reading() as tx:
        found = tx.fact(BROKER_FACT)
    if found is None or not found[0].get("generation"):
        raise Refused("no Kafka is configured and no `fireline up` runs on this database; set FIRELINE_KAFKA=host:port")
    return dict(found[0])


async def follow_files(files: Files, every: float = 2.0) -> None:
    """Put changed files in force as long as this task lives."""
    while True:
        await asyncio.sleep(every)
        await asyncio.to_thread(files.refresh)
