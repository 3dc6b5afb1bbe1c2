"""The work behind `fireline runbook actions`: what a step may use here, also of other packages."""

from fireline.actions import INSTALLED, ActionKind
from fireline.apps.faults import Refused
from fireline.apps.output import print_json, say, table
from fireline.spec.findings import suggestion
from fireline.spec.plugins import type_of, what_of


def actions(name: str | None, *, as_json: bool) -> int:
    """All actions, or the page of one; raises Refused where there is none of this name, or it cannot be used."""
    if name is not None:
        return _one(name, as_json=as_json)
    unusable = INSTALLED.unusable()
    if as_json:
        print_json({"actions": [_told(each, INSTALLED[each]) for each in INSTALLED], "unusable": dict(unusable)})
        return 0
    rows = [(each, "yes" if INSTALLED[each].mutates else "no", _outputs(each), _from(each)) for each in INSTALLED]
    table(("action", "changes something", "outputs", "from"), rows, "There is no action.")
    for each, why in unusable.items():
        say(f"{each} cannot be used: {why}", "yellow")
    return 0


def _one(name: str, *, as_json: bool) -> int:
    kind = INSTALLED.get(name)
    if kind is None:
        why = INSTALLED.why_not(name)
        raise Refused(f"{name}: {why}" if why else f"there is no action {name!r}: {suggestion(name, INSTALLED)}")
    if as_json:
        print_json(_told(name, kind))
        return 0
    say(kind.page.strip())
    say("")
    properties = kind.options.model_json_schema(by_alias=True).get("properties", {})
    required = set(kind.options.model_json_schema(by_alias=True).get("required", ()))
    rows = [(key, "yes" if key in required else "no", said.get("description", "")) for key, said in properties.items()]
    table(("option", "required", "meaning"), rows, "It has no options.")
    say("")
    gives = [(key, type_of(output), what_of(output)) for key, output in kind.outputs.items()]
    table(("output", "type", "meaning"), gives, "It gives nothing.")
    say("")
    say(kind.example.strip())
    return 0


def _outputs(name: str) -> str:
    return ", ".join(INSTALLED[name].outputs)


def _from(name: str) -> str:
    return INSTALLED.package(name) or "Fireline"


def _told(name: str, kind: ActionKind) -> dict[str, object]:
    return {
        "name": name,
        "from": _from(name),
        "changes_something": kind.mutates,
        "options": kind.options.model_json_schema(by_alias=True),
        "outputs": {key: {"type": type_of(each), "what": what_of(each)} for key, each in kind.outputs.items()},
        "page": kind.page.strip(),
        "example": kind.example,
    }
