"""Inputs of a run: those that were given, defaults of the others, each held to its type and bounds."""

from collections.abc import Mapping

from fireline.domain.expressions import EvaluationFault
from fireline.domain.input_values import value_fault
from fireline.domain.runbooks import Input as Parameter
from fireline.domain.runbooks import Runbook


class Unfit(Exception):  # noqa: N818 - a state of the request, not a fault of the program
    """The request cannot be met; the text says why."""


def resolve(
    runbook: Runbook, given: Mapping[str, object], known: Mapping[str, object], *, trusted: bool = False
) -> dict[str, object]:
    """The runbook's inputs: given ones, else defaults, which may name earlier inputs. Raises Unfit.

    Only who is `trusted` (a person, another runbook) may name a secret: no event does.
    """
    if runbook.needs_incident and not known.get("incident"):
        raise Unfit(f"{runbook.name} is for an incident, and none was named")
    inputs: dict[str, object] = {}
    for parameter in runbook.inputs:
        heard = given if trusted or parameter.type != "secret" else {}
        inputs[parameter.name] = _input(parameter, heard, {**known, "inputs": dict(inputs)})
    return inputs


def _input(parameter: Parameter, given: Mapping[str, object], known: Mapping[str, object]) -> object:
    name = parameter.name
    if given.get(name) is not None:
        value: object = given[name]
    elif parameter.default is None:
        raise Unfit(f"input {name} is required and was not given")
    else:
        try:
            value = parameter.default.render(known)
        except EvaluationFault as fault:
            if not known.get("incident") and "incident." in str(parameter.default.source):
                raise Unfit(f"input {name} is required without an incident: its default comes from one") from fault
            raise Unfit(f"the default of input {name}: {fault}") from fault
    against = value_fault(parameter, value)
    if against:
        raise Unfit(f"input {name} {against}")
    return value
