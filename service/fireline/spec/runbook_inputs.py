"""The inputs of a runbook: from their form to domain values, with everything that can be checked of them alone."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fireline.domain.expressions import Template
from fireline.domain.input_values import LONGEST, value_fault
from fireline.domain.runbooks import Input
from fireline.spec.documents import Document, Path
from fireline.spec.expressions import is_template, read_template
from fireline.spec.findings import Findings
from fireline.spec.names import START, Tree, leaves
from fireline.spec.runbook_forms import InputForm

_SIZED = {
    "number": {"int", "integer", "number"},
    "duration": {"duration"},
    "length": {"string", "list", "mapping", "entity"},
}
_BOUNDED = frozenset().union(*_SIZED.values())


def read_inputs(document: Document, forms: Mapping[str, InputForm], findings: Findings) -> tuple[Input, ...]:
    """The inputs, in their order; what is wrong with them is noted."""
    reader = _Reader(document, forms, findings)
    return tuple(reader.read(name, form) for name, form in forms.items())


@dataclass(frozen=True, slots=True)
class _Reader:
    document: Document
    forms: Mapping[str, InputForm]
    findings: Findings

    def read(self, name: str, form: InputForm) -> Input:
        path: Path = ("inputs", name)
        default: Path = (*path, "default")
        has_default = self.document.node(default) is not None
        template = self._template(default, name, form) if has_default else None
        found = Input(name, form.type, template, tuple(form.choices), form.min, form.max, form.pattern or "")
        if not self._constraints_are_sound(path, form):
            return found
        if has_default and not is_template(self.document.node(default)):
            fault = value_fault(found, form.default)
            if fault:
                self.findings.error(self.document, default, f"the default {fault}", _HINTS.get(form.type, ""))
        elif has_default and form.type == "secret":
            message = "a secret is named, not calculated: what an event says must not choose one"
            self.findings.error(self.document, default, message, "write the name of one, as in `secret:DEPLOY`")
        return found

    def _template(self, path: Path, name: str, form: InputForm) -> Template | None:
        names = list(self.forms)
        later = {each: f"the input `{each}` is not known yet: it comes later" for each in names}
        secret = {each: _SECRET_IN_TEXT for each, other in self.forms.items() if other.type == "secret"}
        tree: Tree = {**START, "inputs": {**later, **leaves(names[: names.index(name)]), **secret}}
        return read_template(self.document, path, form.default, self.findings, tree)

    def _constraints_are_sound(self, path: Path, form: InputForm) -> bool:
        before = self.findings.count()
        if form.type == "enum" and not form.choices:
            self._error(path, "an enum has `choices`, and this one has none", "as in `choices: [blue, green]`")
        for name, bound in (("min", form.min), ("max", form.max)):
            if bound is not None and form.type not in _BOUNDED:
                self._error((*path, name), f"a {form.type} has no `{name}`", "numbers, durations, texts and lists do")
        if form.min is not None and form.max is not None and form.min > form.max:
            self._error((*path, "max"), f"`max` is {form.max:g}, less than `min`, {form.min:g}")
        if form.pattern is not None:
            self._check_pattern((*path, "pattern"), form)
        self._check_choices((*path, "choices"), form)
        return self.findings.count() == before

    def _check_pattern(self, path: Path, form: InputForm) -> None:
        if form.type != "string":
            self._error(path, f"a {form.type} has no `pattern`", "texts do")
        try:
            re.compile(form.pattern or "")
        except (re.error, RecursionError) as fault:
            self._error(path, f"`{form.pattern}` is not a regular expression: {fault}")

    def _check_choices(self, path: Path, form: InputForm) -> None:
        plain = Input("", form.type, least=form.min, most=form.max, pattern="")
        for index, choice in enumerate(form.choices):
            fault = value_fault(plain, choice)
            if fault:
                self._error((*path, index), f"the choice {fault}", _HINTS.get(form.type, ""))

    def _error(self, path: Path, message: str, hint: str = "") -> None:
        self.findings.error(self.document, path, message, hint)


_HINTS = {
    "duration": "write one such as `30s`, `2m` or `1h`",
    "secret": "write the name of a secret, as in `secret:DEPLOY`",
    "string": f"up to {LONGEST} characters, in quotes where it looks like a number",
    "entity": "write its labels, as in `{service: fraud-scoring}`",
}
_SECRET_IN_TEXT = "a secret may be named only in the `with` of a step"  # noqa: S105 - a message, not a secret

KINDS: Mapping[str, str] = {
    "string": "text",
    "duration": "text",
    "int": "number",
    "integer": "number",
    "number": "number",
    "bool": "truth",
    "boolean": "truth",
    "list": "list",
}
"""What conditions may do with a type: which parts of one fit together."""


def kinds_of(forms: Mapping[str, InputForm]) -> dict[str, str]:
    """The kinds of `inputs.NAME` in conditions, as far as they are known."""
    found = {f"inputs.{name}": KINDS[form.type] for name, form in forms.items() if form.type in KINDS}
    for name, form in forms.items():
        if form.type == "enum" and form.choices and all(isinstance(choice, str) for choice in form.choices):
            found[f"inputs.{name}"] = "text"
    return found
