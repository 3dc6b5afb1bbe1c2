"""The work behind `fireline changes`: what changed in rules and runbooks, when, and whose files they were."""

from dataclasses import asdict

from fireline.apps.bootstrap import look, settings_with
from fireline.apps.faults import Refused
from fireline.apps.output import instant, print_json, say, table
from fireline.apps.own_files import changes_of
from fireline.engine.own_files import Change

_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def run(which: str | None, *, as_json: bool) -> int:
    """List the changes, or show one with its difference."""
    with look(settings_with()).store.reading() as tx:
        changes = changes_of(tx)
    if which is None:
        return _list(changes, as_json=as_json)
    found = next((change for change in changes if change.hash.startswith(which.lower())), None)
    if found is None:
        raise Refused(f"no change made a configuration {which[:20]!r}; `fireline changes` lists them")
    if as_json:
        print_json(asdict(found))
        return 0
    say(f"{found.hash[:12]}, was {found.was[:12]}, in force since {instant(found.at)}", "bold")
    say(f"  changed by  {', '.join(found.who)}")
    for line in found.diff.splitlines():
        say(line, _STYLES.get(line[:1], ""))
    return 0


def _list(changes: list[Change], *, as_json: bool) -> int:
    if as_json:
        print_json([{**asdict(change), "diff": len(change.diff.splitlines())} for change in changes])
        return 0
    rows = [
        (change.hash[:12], instant(change.at), ", ".join(change.who), ", ".join(change.files)) for change in changes
    ]
    table(("configuration", "in force since", "changed by", "files"), rows, "Nothing has changed while Fireline ran.")
    return 0
