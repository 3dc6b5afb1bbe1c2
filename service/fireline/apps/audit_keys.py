"""The keys that seal the audit: from the environment, else from a file that is made at the first start."""

import os
import tempfile
from pathlib import Path

from fireline.adapters.clock import SystemClock
from fireline.apps.faults import Refused
from fireline.apps.settings import Settings
from fireline.domain.audit import Keys

FILE = "audit-key"
"""Its name in the state directory: one key a line, the last of which seals; only its owner may read it."""


def keys_of(settings: Settings) -> Keys:
    """The keys in use; the file is made where there are none. Raises Refused when it can be neither read nor made."""
    if settings.audit_keys:
        return Keys.of(settings.audit_keys)
    path = settings.state_dir / FILE
    try:
        if not path.exists():
            _make(path, _drawn())
        return Keys.of(tuple(reversed(_lines(path))))
    except OSError as fault:
        raise Refused(
            f"the key of the audit cannot be kept in {path}: {fault}\n"
            "Set FIRELINE_AUDIT_KEY, or let FIRELINE_STATE_DIR name a directory that Fireline may write to."
        ) from fault


def keys_to_look(settings: Settings) -> Keys:
    """The keys for a command that only reads, which works without any."""
    try:
        return keys_of(settings)
    except Refused:
        return Keys.of(())


def rotate(settings: Settings) -> Keys:
    """Add a key to the file, which seals from the next start of each process; raises Refused."""
    if settings.audit_keys:
        raise Refused("the key is in FIRELINE_AUDIT_KEY: write a new one before it, separated by a comma")
    keys_of(settings)
    path = settings.state_dir / FILE
    lines = [*_lines(path), _drawn()]
    made = _written(path, "\n".join(lines) + "\n")
    made.replace(path)
    return keys_of(settings)


def _drawn() -> str:
    clock = SystemClock()
    return clock.token() + clock.token()


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text(encoding="ascii").splitlines() if line.strip()]


def _make(path: Path, key: str) -> None:
    """The file appears whole, and once, whoever else makes it at the same moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = _written(path, key + "\n")
    try:
        os.link(made, path)
    except FileExistsError:
        pass
    finally:
        made.unlink()


def _written(path: Path, text: str) -> Path:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".audit-key-", delete=False) as file:
        file.write(text)  # such files are made with mode 600
        file.flush()
        os.fsync(file.fileno())
    return Path(file.name)
