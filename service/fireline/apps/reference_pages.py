"""Pages of the reference about what YAML files may say: files, measures, actions, channels."""

import importlib
import inspect
from collections.abc import Iterator, Mapping
from types import ModuleType

from pydantic import BaseModel

from fireline.actions import SCHEMAS as ACTIONS
from fireline.actions.schema import ActionKind
from fireline.apps.reference_examples import EXAMPLES
from fireline.apps.reference_tables import nested_models, option_rows, options, table, title_of
from fireline.channels import CHANNELS
from fireline.domain.windows import Family
from fireline.measures import FAMILIES
from fireline.spec.plugins import type_of, what_of
from fireline.spec.schemas import FILES

_WHERE = {
    "rules": "Every other `.yaml` file in `rules/` is a file of rules and service objectives.",
    "calendars": "`rules/calendars.yaml` says which hours rules may name. The file may be left out.",
    "autonomy": "`rules/autonomy.yaml` says how far runbooks may go alone. Without it, one whose last three runs went "
    "wrong has to ask.",
    "maintenance": "`rules/maintenance.yaml` says what is silenced by plan. The file may be left out.",
    "runbooks": "Every `.yaml` file in `runbooks/` is one runbook.",
    "targets": "`FIRELINE_TARGETS` is the path of a file that says what steps may reach beside HTTP. It is for whoever "
    "runs Fireline, and is read when `fireline respond` starts. Without it nothing of this is reached.",
    "catalog": "`rules/catalog.yaml` says who owns what, and how each person is reached.",
    "oncall": "`rules/oncall.yaml` says who is on call when, and who is asked next.",
    "severities": "`rules/severities.yaml` says what each level means. The file may be left out.",
    "topics": "`rules/topics.yaml` says how the events of foreign topics are read. The file may be left out.",
}
_MORE = {
    "rules": "How to write one: [rules](../how-to/rules.md), [objectives](../how-to/slos.md). "
    "What may stand after `agg`: [measures](measures.md).",
    "calendars": "What it is for: [hours of rules](../how-to/rules.md#hours).",
    "autonomy": "How it works: [hold runbooks back](../how-to/guards.md#how-far-a-runbook-may-go-alone).",
    "maintenance": "How it works: [silences](../how-to/silences.md).",
    "runbooks": "How to write one: [runbooks](../how-to/runbooks.md). What a step `uses`: [actions](actions.md).",
    "targets": "What uses it: `kafka.publish`, `command.run`, `sql.query` and `metric.query` of [actions](actions.md).",
    "catalog": "How it fits together: [on-call](../how-to/oncall.md).",
    "oncall": "How it fits together: [on-call](../how-to/oncall.md).",
    "severities": "How it fits together: [on-call](../how-to/oncall.md).",
    "topics": "How it fits together: [bring your events](../how-to/events.md).",
}
_TITLES = {
    "rules": "Rule files",
    "calendars": "Calendars",
    "autonomy": "The autonomy table",
    "maintenance": "Maintenance",
    "runbooks": "Runbook files",
    "catalog": "The catalog",
    "oncall": "Schedules and policies",
    "severities": "Severities",
    "targets": "Targets of actions",
}
NOTATION = """\
Durations are written with a unit: `500ms`, `30s`, `2m`, `1h30m`, `7d`, `2w`. Conditions are [CEL](https://cel.dev);
templates are Jinja2 expressions in `{{ }}`. Unknown keys are faults."""


def yaml(text: str) -> str:
    """A block of YAML."""
    return f"```yaml\n{text.strip()}\n```"


def page(title: str, *parts: str) -> str:
    """A page with its title, ready to be written."""
    return "\n\n".join([f"# {title}", *(part.strip() for part in parts if part.strip())]) + "\n"


def prose(docstring: str | None) -> str:
    """A docstring as paragraphs of its page."""
    return inspect.cleandoc(docstring or "").strip()


def file_page(name: str) -> str:
    """The page of one kind of file."""
    return page(_TITLES[name], *file_parts(name))


def file_parts(name: str) -> list[str]:
    """What is to be told of one kind of file."""
    model = FILES[name]
    sections = [f"## {title_of(part)}\n\n{prose(part.__doc__)}\n\n{options(part)}" for part in nested_models(model)]
    schema = f"For an editor: `fireline schema {name}`, also in [schemas/{name}.json](schemas/{name}.json)."
    return [_WHERE[name], yaml(EXAMPLES[name]), _MORE[name], NOTATION, schema, options(model), *sections]


def measures_page() -> str:
    """Every measure family, by the word after `agg`."""
    rows = [(f"[`{name}`](#{name})", _about(_doc(family))) for name, family in FAMILIES.items()]
    intro = """\
A measure is an aggregate over the window of a rule. Beside the options of its family, a measure may have `on` and
`where` (another stream of events than the rule's). A measure without a value makes a condition that names it
*unknown*; it neither fires nor clears."""
    parts = {title_of(part): part for family in FAMILIES.values() for part in nested_models(family.settings)}
    shared = [f"## {title}\n\n{prose(part.__doc__)}\n\n{options(part)}" for title, part in parts.items()]
    return page("Measures", intro, table(("measure", "what it is"), rows), *map(_measure, FAMILIES.values()), *shared)


def _module(family: Family) -> ModuleType:
    return importlib.import_module(type(family).__module__)


def _doc(family: Family) -> str:
    return prose(_module(family).__doc__)


def _about(text: str) -> str:
    return text.partition("\n\n")[0].partition(": ")[2].strip().removesuffix(".")


def _measure(family: Family) -> str:
    needs = {
        "of": ("`of`", "text", "`value` for metrics, else required", "the field of the event that is measured"),
        "condition": ("`condition`", "text", "required", "a CEL condition over the fields of one event"),
    }
    words = [word for word in family.needs.split() if word != "or"]
    if len(words) > 1:
        default = "none" if "or" in family.needs.split() else "every event"
        needs["condition"] = ("`condition`", "text", default, "a CEL condition over the fields of one event")
    rows = [*(needs[word] for word in words), *option_rows(family.settings)]
    tables = table(("option", "type", "default", "meaning"), rows) if rows else "It has no options."
    return f"## {family.name}\n\n{_doc(family)}\n\n{tables}\n\n{yaml(str(_module(family).__dict__['EXAMPLE']))}"


def actions_page() -> str:
    """Every action, by the word after `uses`; actions of one file share its page."""
    rows = [
        (
            f"[`{name}`](#{name.replace('.', '')})",
            "yes" if kind.mutates else "no",
            ", ".join(f"`{o}`" for o in kind.outputs),
        )
        for name, kind in ACTIONS.items()
    ]
    intro = """\
What a step of a runbook `uses`. An action that *changes something* needs an `undo`, or `irreversible: true`. Its
outputs are for later steps: `steps.ID.NAME`, and for every step `steps.ID.outcome` (`done`, `skipped`, `failed`)."""
    return page("Actions", intro, table(("action", "changes something", "outputs"), rows), *_actions())


def _actions() -> Iterator[str]:
    told = ""
    for name, kind in ACTIONS.items():
        about = "" if kind.page == told else prose(kind.page) + "\n\n"
        told = kind.page
        yield f"## {name}\n\n{about}{_action(name, kind)}"


def _action(name: str, kind: ActionKind) -> str:
    parts = [f"Options of `{name}`:", options(kind.options)]
    for nested in nested_models(kind.options):
        parts += [f"### {title_of(nested)}", options(nested)]
    gives = [(f"`{key}`", type_of(output), what_of(output)) for key, output in kind.outputs.items()]
    parts += ["Outputs:", table(("output", "type", "meaning"), gives)]
    return "\n\n".join([*parts, yaml(kind.example)])


_SET_BY: Mapping[str, Mapping[str, str]] = {
    "slack": {"bot_token": "FIRELINE_SLACK_BOT_TOKEN", "base_url": "FIRELINE_SLACK_BASE_URL"},
    "email": {
        "server": "FIRELINE_EMAIL_SERVER",
        "sender": "FIRELINE_EMAIL_FROM",
        "security": "FIRELINE_EMAIL_SECURITY",
        "user": "FIRELINE_EMAIL_USER",
        "password": "FIRELINE_EMAIL_PASSWORD",
        "ca": "FIRELINE_EMAIL_CA",
    },
    "webhook": {"secret": "FIRELINE_WEBHOOK_SECRET"},
    "pagerduty": {"url": "FIRELINE_PAGERDUTY_URL"},
}
_CONTACTS = """\
people:
  ann: {name: Ann Keller, contacts: {slack: U0ANN, console: ann}}
"""


def channels_page() -> str:
    """Every channel, by its name in contacts and rooms."""
    intro = f"""\
How people are reached. A person's `contacts` and a team's `channels` in the [catalog](catalog.md) name them; contacts
are tried in their order, and only on channels that are switched on. The console always is, and so are those whose
addresses say it all. [Reach people](../how-to/channels.md) tells how to set each up, and how to prove that it works.

{yaml(_CONTACTS)}"""
    return page("Channels", intro, *(_channel(name) for name in CHANNELS))


def _channel(name: str) -> str:
    kind = CHANNELS[name]
    rows = [(*row, _variable(name, kind.settings, row[0])) for row in option_rows(kind.settings)]
    head = ("option", "type", "default", "meaning", "set by")
    return f"## {name}\n\n{prose(kind.page)}\n\n{table(head, rows)}"


def _variable(channel: str, settings: type[BaseModel], option: str) -> str:
    assert option.strip("`") in settings.model_fields
    variable = _SET_BY.get(channel, {}).get(option.strip("`"))
    return f"`{variable}`" if variable else "nothing yet: the default holds"
