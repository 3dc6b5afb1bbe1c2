"""YAML as Fireline reads it: only `true` and `false` are truth values, so `on` and `09:00` stay the texts they are."""

import re
from typing import Any

import yaml


class Loader(yaml.SafeLoader):
    """PyYAML's safe loader without the surprises of YAML 1.1."""


_KEPT = ("tag:yaml.org,2002:null", "tag:yaml.org,2002:float", "tag:yaml.org,2002:merge")
Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in _KEPT]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), list("tf"))
Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile("[-+]?(0|[1-9][0-9]*)$"), list("-+0123456789"))


def read(text: str) -> Any:
    """The document's value."""
    return yaml.load(text, Loader=Loader)  # the loader is a safe one


def lines_of(text: str, key: str) -> list[int]:
    """The line, counted from 1, on which each entry of the list under a top-level key begins."""
    root = yaml.compose(text, Loader=Loader)
    found = next((value for name, value in root.value if name.value == key), None)
    return [] if found is None else [node.start_mark.line + 1 for node in found.value]
