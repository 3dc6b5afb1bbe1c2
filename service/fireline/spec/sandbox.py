"""The Jinja2 environment of templates: immutable, strict, and closed to everything but data."""

from collections.abc import Mapping, Sequence

from jinja2 import StrictUndefined
from jinja2.runtime import Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from fireline.spec.filters import FILTERS, LIMIT, TESTS, bounded, finite, shown


class Sandbox(ImmutableSandboxedEnvironment):
    """Names reach into mappings and lists only; texts are added up to a limit and never multiplied or formatted."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})

    def getattr(self, obj: object, attribute: str) -> object:
        """One entry of a mapping."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: object, argument: object) -> object:
        """One entry of a mapping or list; what is not there is undefined, and so is all within it."""
        if isinstance(obj, Undefined):
            return obj
        found = isinstance(obj, Mapping) and isinstance(argument, (str, int)) and argument in obj
        if found and isinstance(obj, Mapping):
            return obj[argument]
        if isinstance(obj, Sequence) and not isinstance(obj, str) and isinstance(argument, int):
            return obj[argument] if -len(obj) <= argument < len(obj) else self.undefined(obj=obj, name=str(argument))
        return self.undefined(obj=obj, name=str(argument))

    def call_binop(self, context: object, operator: str, left: object, right: object) -> object:
        """Arithmetic on numbers; `+` on texts and lists as well."""
        if isinstance(left, (int, float)) and isinstance(right, (int, float)):
            if operator in {"/", "//", "%"} and not right:
                raise ValueError("nothing is divided by zero")
            return finite(self.binop_table[operator](left, right))
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            return bounded(left + right)
        if operator == "+" and isinstance(left, list) and isinstance(right, list) and len(left) + len(right) < LIMIT:
            return left + right
        raise TypeError(f"`{operator}` needs two numbers, found {shown(left)[:40]} and {shown(right)[:40]}")


def _environment() -> Sandbox:
    environment = Sandbox(
        undefined=StrictUndefined, autoescape=False, optimized=False, keep_trailing_newline=True, cache_size=0
    )
    environment.filters = dict(FILTERS)
    environment.tests = dict(TESTS)
    environment.globals = {}
    return environment


ENVIRONMENT = _environment()
