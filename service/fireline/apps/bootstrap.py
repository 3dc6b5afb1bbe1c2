"""The composition root: settings into the parts that every role and command shares."""

import asyncio
import getpass
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from fireline.actions import INSTALLED as ACTIONS
from fireline.adapters.clock import SystemClock
from fireline.adapters.kafka_connection import Connection, unusable_files
from fireline.adapters.secrets import EnvironmentSecrets
from fireline.apps.audit_keys import keys_of, keys_to_look
from fireline.apps.faults import Refused
from fireline.apps.files import Files
from fireline.apps.lifeline import PARENT
from fireline.apps.settings import Settings, load_settings
from fireline.channels import CHANNELS
from fireline.channels.addresses import FORMS
from fireline.channels.means import Means
from fireline.domain.audit import Keys
from fireline.domain.catalog import Person
from fireline.domain.on_demand import OnDemand
from fireline.domain.ranges import Ranged
from fireline.domain.windows import Compares, Conditioned, Refers
from fireline.engine.outward import Action, Channel
from fireline.measures import FAMILIES
from fireline.sources import BODIES, FORMATS
from fireline.sources.native import FIELDS
from fireline.spec.loading import read_runbook
from fireline.spec.plugins import ActionSchema, FormatSchema, MeasureSchema, Plugins

if TYPE_CHECKING:
    from fireline.adapters.database import DatabaseStore
    from fireline.engine.respond import Responder
    from fireline.engine.runs import Runs

log = logging.getLogger("fireline.files")


def plugins() -> Plugins:
    """What YAML files may name: measure families, actions, channels, formats."""
    return Plugins(
        measures=OnDemand(FAMILIES, _measure),
        actions=_Actions(),
        why_no_action=ACTIONS.why_not,
        channels=frozenset(CHANNELS),
        addresses=FORMS,
        formats={name: FormatSchema(bodies=name in BODIES) for name in FORMATS},
        fields={kind.value: fields for kind, fields in FIELDS.items()},
    )


def _measure(name: str) -> MeasureSchema:
    family = FAMILIES[name]
    needs = family.needs.split()
    return MeasureSchema(
        family.settings,
        takes_of="of" in needs,
        takes_condition="condition" in needs,
        either="or" in needs,
        lookbacks=family.lookbacks if isinstance(family, Compares) else None,
        reference=family.reference if isinstance(family, Refers) else None,
        range=family.range if isinstance(family, Ranged) else None,
        conditions=family.conditions if isinstance(family, Conditioned) else (),
    )


class _Actions(Mapping[str, ActionSchema]):
    """The actions as runbooks may name them; other packages are looked for when a name is not one of ours."""

    def __getitem__(self, name: str) -> ActionSchema:
        action = ACTIONS[name]
        return ActionSchema(action.options, outputs=action.outputs, mutates=action.mutates)

    def __iter__(self) -> Iterator[str]:
        return iter(ACTIONS)

    def __len__(self) -> int:
        return len(ACTIONS)

    def __contains__(self, name: object) -> bool:
        return name in ACTIONS


def settings_with(rules: Path | None = None, runbooks: Path | None = None) -> Settings:
    """The environment's settings, with what the command line says instead."""
    given = {"rules": rules, "runbooks": runbooks}
    return load_settings(**{name: value for name, value in given.items() if value is not None})


@dataclass(frozen=True)  # without slots, for the responder
class Parts:
    """What every role and command needs."""

    settings: Settings
    clock: SystemClock
    store: "DatabaseStore"
    files: Files

    @cached_property
    def responder(self) -> "Responder":
        """Who decides; made when asked for, since many commands only look."""
        from fireline.engine.respond import Responder

        return Responder(self.store, self.files, self.clock, configured_channels(self.settings))

    def person(self, name: str | None) -> Person:
        """The catalog's person of this id, or of this system user's name; raises Refused naming those known."""
        people = self.files.current.catalog.people
        asked = name or system_user()
        if asked not in people:
            known = ", ".join(sorted(people)) or "nobody"
            raise Refused(f"{asked!r} is not in the catalog's people ({known}); say who you are with --as PERSON")
        return people[asked]


def system_user() -> str:
    """The system user's name; empty where the system has none, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


@dataclass(frozen=True, slots=True)
class Look:
    """What a command needs that only reads: it works also while the files of the configuration are broken."""

    settings: Settings
    clock: SystemClock
    store: "DatabaseStore"


def store_of(settings: Settings, keys: Keys) -> "DatabaseStore":
    """The database, whose audit these keys seal and no secret gets into."""
    from fireline.adapters.database import open_store

    return open_store(settings.database, keys=keys, secrets=settings.secrets())


def look(settings: Settings) -> Look:
    """Open the database; raises what `faults.told` knows how to tell."""
    return Look(settings, SystemClock(), store_of(settings, keys_to_look(settings)))


KEPT = "last-good"
"""Where, below the state directory, the roles of `fireline up` keep the last good files."""


def assemble(settings: Settings, *, teller: bool = True, clock: SystemClock | None = None) -> Parts:
    """Open the database, read the files; raises what `faults.told` knows how to tell.

    Below `fireline up` a role that starts while the files are broken goes on with the last good ones, and only the
    `teller` among the roles names each fault.
    """
    clock = clock or SystemClock()
    files = files_of(settings, clock, teller=teller)
    return Parts(settings, clock, store_of(settings, keys_of(settings)), files)


def files_of(settings: Settings, clock: SystemClock, *, teller: bool = True) -> Files:
    """The files of the configuration, which need no database."""
    supervised = os.environ.get(PARENT) is not None
    kept = settings.state_dir / KEPT if supervised else None
    return Files(settings.rules, settings.runbooks, plugins(), clock, kept=kept, quiet=supervised and not teller)


def configured_channels(settings: Settings) -> frozenset[str]:
    """The channels that pages may go to: those that need no switching on always, others once they are set up."""
    return frozenset(_channel_settings(settings))


def channels_of(settings: Settings, clock: SystemClock) -> Mapping[str, Channel]:
    """The configured channels, ready to deliver; none of them connects before its first message."""
    built = {}
    for name, given in _channel_settings(settings).items():
        kind = CHANNELS[name]
        built[name] = kind.build(kind.settings(**given), _means(name, settings, clock))
    return built


def _channel_settings(settings: Settings) -> dict[str, dict[str, Any]]:
    """By channel, the values of its settings, which are what its model takes."""
    given: dict[str, dict[str, Any]] = {
        "console": {},
        "discord": {},
        "teams": {},
        "pagerduty": {"url": settings.pagerduty_url},
    }
    if settings.slack_bot_token is not None:
        given["slack"] = {"bot_token": settings.slack_bot_token, "base_url": settings.slack_base_url}
    if settings.webhook_secret is not None:
        given["webhook"] = {"secret": settings.webhook_secret}
    if settings.email_server is not None and settings.email_from is not None:
        given["email"] = {
            "server": settings.email_server,
            "sender": settings.email_from,
            "security": settings.email_security,
            "user": settings.email_user,
            "password": settings.email_password,
            "ca": settings.email_ca,
        }
    return given


def _means(name: str, settings: Settings, clock: SystemClock) -> Means:
    """Each channel has connections of its own: one that hangs keeps none from another."""
    from fireline.adapters.http import SafeFetch

    secrets = EnvironmentSecrets()
    fetch = SafeFetch((*settings.http_allow, *CHANNELS[name].hosts), secrets, connections=0)
    return Means(clock, fetch, secrets, settings.web_url or "", settings.installation)


def runs_of(parts: Parts, actions: Mapping[str, Action], owner: str) -> "Runs":
    """The engine of runs over these actions; without actions it can answer and abort, not drive."""
    from fireline.engine.runs import Runs

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


def connection_of(parts: Parts | Look) -> Connection:
    """How to reach Kafka: as configured, else the broker of the running `fireline up`; raises Refused when neither.

    Refused too when files of certificates cannot be used.
    """
    return connection_with(parts.settings, parts.settings.kafka or str(_broker(parts)["bootstrap"]))


def kafka_alone(settings: Settings) -> Connection:
    """The same for a command that needs nothing but Kafka: with one configured it works while the database is away."""
    if settings.kafka is not None:
        return connection_with(settings, settings.kafka)
    seen = look(settings)
    try:
        return connection_of(seen)
    finally:
        seen.store.close()


def connection_with(settings: Settings, bootstrap: str) -> Connection:
    """How to reach the brokers at `bootstrap` with these settings; raises Refused when files cannot be used."""
    embedded = settings.kafka is None or bool(settings.kafka_generation)
    connection = Connection(
        bootstrap=bootstrap,
        protocol=settings.kafka_protocol,
        mechanism=settings.kafka_sasl_mechanism,
        user=settings.kafka_user,
        password=_secret(settings.kafka_password),
        ca=settings.kafka_ssl_ca,
        cert=settings.kafka_ssl_cert,
        key=settings.kafka_ssl_key,
        key_password=_secret(settings.kafka_ssl_key_password),
        embedded=embedded,
    )
    if (fault := unusable_files(connection)) is not None:
        raise Refused(fault)
    return connection


def _secret(value: SecretStr | None) -> str | None:
    return None if value is None else value.get_secret_value()


def generation_of(parts: Parts) -> str:
    """The name of this start of the embedded broker; empty for a real one."""
    if parts.settings.kafka is None:
        return str(_broker(parts)["generation"])
    return parts.settings.kafka_generation or ""


def _broker(parts: Parts | Look) -> dict[str, object]:
    with parts.store.reading() as tx:
        found = tx.fact(BROKER_FACT)
    if found is None or not found[0].get("generation"):
        raise Refused("no Kafka is configured and no `fireline up` runs on this database; set FIRELINE_KAFKA=host:port")
    return dict(found[0])


async def follow_files(files: Files, every: float = 1.0) -> None:
    """Put changed files in force as long as this task lives."""
    while True:
        await asyncio.sleep(every)
        try:
            await asyncio.to_thread(files.look)
        except Exception:
            log.exception("the files could not be read anew; the last good configuration stays in force")
