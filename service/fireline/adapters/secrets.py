"""Secrets of the environment: `secret:NAME` is `FIRELINE_SECRET_NAME`, or the file NAME of a directory."""

import base64
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_]{0,99}$")
_MOST = 65_536
_SHORTEST = 4
"""Shorter secrets are not looked for in answers: they would be found everywhere."""


def hiding(secrets: Iterable[tuple[str, str]]) -> Callable[[str], str]:
    """What takes secrets, given as name and value, out of a text: as they are, and as others may write them."""
    found = [(form, f"[secret:{name}]") for name, value in secrets for form in _forms(value)]
    found.sort(key=lambda pair: -len(pair[0]))  # the longest first: one may hold another

    def shown(text: str) -> str:
        for form, instead in found:
            text = text.replace(form, instead)
        return text

    return shown


def _forms(value: str) -> set[str]:
    """A secret as it is, in a URL, in JSON, in Base64, and line by line."""
    if len(value) < _SHORTEST:
        return set()
    encoded = base64.b64encode(value.encode()).decode()
    forms = {value, encoded, encoded.rstrip("=")}
    forms |= {quoted(value, safe=safe) for quoted in (quote, quote_plus) for safe in ("", "/")}
    forms |= {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], value.strip()}
    forms |= {line for line in value.splitlines() if len(line.strip()) >= 4 * _SHORTEST}
    return {form for form in forms if len(form) >= _SHORTEST}


class EnvironmentSecrets:
    """Looks at the moment of asking, so that a rotated secret is found without a restart."""

    def __init__(self, directory: Path | None = None, environment: Mapping[str, str] | None = None) -> None:
        self._directory = directory
        self._environment = os.environ if environment is None else environment

    def secret(self, name: str) -> str | None:
        """The secret's value without a trailing line break, None when there is none of this name."""
        if not _NAME.match(name):
            return None
        value = self._environment.get(f"FIRELINE_SECRET_{name}")
        if value is not None or self._directory is None:
            return value or None
        try:
            with (self._directory / name).open(encoding="utf-8") as file:
                return file.read(_MOST).rstrip("\r\n") or None
        except (OSError, UnicodeError):
            return None
