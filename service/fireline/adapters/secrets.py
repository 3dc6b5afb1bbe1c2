"""Secrets of the environment: `secret:NAME` is `FIRELINE_SECRET_NAME`, or the file NAME of a directory."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_]{0,99}$")
_MOST = 65_536


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
