"""The composition root: settings into the parts that every role and command shares."""

import getpass
from dataclasses import dataclass
from pathlib import Path

from fireline.actions import SCHEMAS as ACTIONS
from fireline.adapters.clock import SystemClock
from fireline.adapters.database import DatabaseStore, open_store
from fireline.apps.faults import Refused
from fireline.apps.files import Files
from fireline.apps.settings import Settings, load_settings
from fireline.channels import CHANNELS
from fireline.domain.catalog import Person
from fireline.engine.respond import Responder
from fireline.measures import FAMILIES
from fireline.spec.loading import ActionSchema, MeasureSchema, Plugins


def plugins() -> Plugins:
    """What YAML files may name: measure families, actions, channels."""
    return Plugins(
        measures={
            name: MeasureSchema(
                options=family.Options, takes_of=family.takes_of, takes_condition=family.takes_condition
            )
            for name, family in FAMILIES.items()
        },
        actions={
            name: ActionSchema(options=action.options, outputs=action.outputs, mutates=action.mutates)
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
    return Parts(settings, clock, store, files, Responder(store, files, clock))
