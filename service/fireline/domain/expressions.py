"""What the domain knows of conditions and templates: protocols, so that no library leaks in.

`spec` compiles the texts of the YAML files into objects that satisfy these (CEL programs, sandboxed Jinja2 templates).
"""

from collections.abc import Mapping
from typing import Protocol


class EvaluationFault(Exception):  # noqa: N818 - a fault of one evaluation, not of the program
    """The expression could not be evaluated on these values; the text says which variable or type was wrong."""


class Condition(Protocol):
    """A compiled, typed condition, such as `p99 > 800.0 && n >= 50`."""

    @property
    def source(self) -> str:
        """The text as written."""
        ...

    @property
    def variables(self) -> frozenset[str]:
        """The names that the text refers to."""
        ...

    def holds(self, values: Mapping[str, object]) -> bool:
        """Whether it holds for `values`; raises `EvaluationFault` when it cannot be told."""
        ...


class Template(Protocol):
    """A compiled text, mapping or list with `{{ }}` places; data is never a template."""

    @property
    def source(self) -> object:
        """The value as written."""
        ...

    def render(self, values: Mapping[str, object]) -> object:
        """The value with its places filled, keeping native types; raises `EvaluationFault`."""
        ...
