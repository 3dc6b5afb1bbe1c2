"""Pages of the reference about what is outside the files: settings, commands, HTTP, metrics."""

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import typer

from fireline.apps.cli import app as command_line
from fireline.apps.reference_pages import page
from fireline.apps.reference_tables import NOTHING, option_rows, table
from fireline.apps.settings import PREFIX, Settings
from fireline.apps.web import create_app
from fireline.apps.web_health import known_metrics
from fireline.domain.catalog import Catalog


def settings_page() -> str:
    """Every setting, by its variable."""
    rows = [(f"`{PREFIX}{name.strip('`').upper()}`", *rest) for name, *rest in option_rows(Settings)]
    intro = """\
Fireline is set up by environment variables. Faults of all of them are told at once, at the start, with the remedy.
Lists are written `a,b`, mappings `a=b,c=d`; an empty variable counts as unset. A variable that looks like a slip of the
pen is a fault."""
    example = """\
```console
$ export FIRELINE_DATABASE=postgresql://fireline:secret@db/fireline FIRELINE_KAFKA=kafka-1:9092,kafka-2:9092
$ export FIRELINE_WEB_HOST=0.0.0.0 FIRELINE_API_TOKEN=choose-a-long-one
```"""
    more = """\
## Beside the settings

| variable | meaning |
| --- | --- |
| `FIRELINE_SECRET_NAME` | the value of `secret:NAME` in a header of an `http.*` step, looked up when it is sent |"""
    return page("Settings", intro, example, table(("variable", "type", "default", "meaning"), rows), more)


def commands_page() -> str:
    """Every command with its arguments and options."""
    root: Any = typer.main.get_command(command_line)  # Any: typer's own classes are not public
    intro = """\
`fireline COMMAND --help` says the same in a terminal. Every command reads the [settings](settings.md); `--json` is for
scripts. It exits 0 when all is well, 1 when something is wrong that a person can mend, 2 for a wrong option or
setting."""
    example = "```console\n$ fireline incidents ack INC-7 --as ann\n```"
    return page("Commands", intro, example, *_commands(root, "fireline"))


def _commands(group: Any, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            if command.invoke_without_command:
                yield _command(command, f"{path} {name}")
            yield from _commands(command, f"{path} {name}")
        else:
            yield _command(command, f"{path} {name}")


def _command(command: Any, path: str) -> str:
    rows = [_parameter(parameter) for parameter in command.params if not parameter.hidden]
    parts = [f"## {path}", _unwrapped(command.help or "")]
    return "\n\n".join([*parts, table(("argument or option", "default", "meaning"), rows)] if rows else parts)


def _parameter(parameter: Any) -> tuple[str, str, str]:
    option = parameter.opts[0].startswith("-")
    name = ", ".join(parameter.opts) if option else parameter.name.upper()
    value = "" if not option or parameter.is_flag else f" {parameter.name.upper()}"
    default = "required" if parameter.required else _default(parameter)
    return f"`{name}{value}`", default, parameter.help or ""


def _default(parameter: Any) -> str:
    default = parameter.default
    return NOTHING if default in (None, False, "") or callable(default) else f"`{default}`"


def _unwrapped(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def http_page() -> str:
    """Every path of the web role."""
    absent: Any = None  # describing the paths asks nothing of the parts behind them
    empty: Any = SimpleNamespace(current=SimpleNamespace(catalog=Catalog({}, {}, {}, ())))
    description = create_app(absent, empty, absent, absent, absent).openapi()
    schemas = description.get("components", {}).get("schemas", {})
    rows = [
        (method.upper(), f"`{path}`", _words(operation), _body(operation, schemas))
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    ]
    intro = """\
`fireline web` serves this on `FIRELINE_WEB_HOST` and `FIRELINE_WEB_PORT`. Without `FIRELINE_API_TOKEN` it answers this
machine only. With it, everything but the routes, health and metrics needs `Authorization: Bearer TOKEN`, and a browser
may send it as the password of any name. Faults are problem details (RFC 9457)."""
    example = """\
```console
$ curl -s -X POST http://127.0.0.1:8321/api/incidents/INC-7/acknowledge \\
    -H 'Content-Type: application/json' -d '{"person": "ann"}'
```"""
    more = "How gateways read routes: [gateway](../how-to/gateway.md). The schema for tools is at `/openapi.json`."
    return page("HTTP", intro, example, table(("method", "path", "what it does", "body"), rows), more)


def _words(operation: Mapping[str, Any]) -> str:
    return str(operation.get("description", operation.get("summary", ""))).partition("\n\n")[0]


def _body(operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = str(content.get("schema", {}).get("$ref", "")).rpartition("/")[2]
    schema = schemas.get(name, {})
    required = schema.get("required", [])
    fields = [f"`{field}`" + ("" if field in required else " (optional)") for field in schema.get("properties", {})]
    return ", ".join(fields) or NOTHING


def metrics_page() -> str:
    """Every metric of `/metrics`."""
    rows = [
        (f"`{family.samples[0].name}`", family.type, _labels(family.samples[0].labels), family.documentation)
        for family in known_metrics()
    ]
    intro = """\
`GET /metrics` of `fireline web` speaks Prometheus' text format, for all roles: they put what is to be told into the
database. What to watch: [operating Fireline](../how-to/operate.md#what-to-watch)."""
    example = """\
```yaml
scrape_configs:
  - job_name: fireline
    static_configs: [{targets: ["127.0.0.1:8321"]}]
```"""
    return page("Metrics", intro, example, table(("metric", "type", "labels", "meaning"), rows))


def _labels(labels: Mapping[str, str]) -> str:
    return ", ".join(f"`{name}`" for name in labels) or NOTHING
