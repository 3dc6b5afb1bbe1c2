"""What a step reaches that is written in full: a host, a command, a topic. What is not allowed here is told at load.

Where it is not known what is allowed, as in the CI of a repository of runbooks, nothing is said. A name that the
targets file does not list is an error; what else would be refused is a warning, because it may be another machine's
settings that count.
"""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from fireline.domain.targets import USED_BY, Command
from fireline.spec import codes
from fireline.spec.documents import Document, Entries, Path, Scalar
from fireline.spec.findings import Findings, suggestion
from fireline.spec.plugins import Plugins

_ASKS = ("http.", "flags.", "mlflow.")
"""Families of actions that send requests to their `url`."""
_ADDRESSES = (("url",), ("poll", "url"))
_SECRETS = frozenset({"api-key", "authorization", "cookie", "private-token", "x-api-key", "x-auth-token"})
"""Headers that say who asks."""


def check_reach(document: Document, place: Path, uses: str, plugins: Plugins, findings: Findings) -> None:
    """Note what the step whose options are at `place` would be refused."""
    _check_name(document, place, uses, plugins, findings)
    if uses.startswith(_ASKS) and plugins.against_host is not None:
        for path in (each for name in _ADDRESSES if (each := (*place, *name))):
            _check_address(document, path, plugins, findings)
    if uses.startswith(_ASKS):
        _check_secrets(document, place, findings)
    if uses == "command.run":
        _check_parameters(document, place, plugins.commands, findings)


def _check_name(document: Document, place: Path, uses: str, plugins: Plugins, findings: Findings) -> None:
    if plugins.targets is None or uses not in USED_BY:
        return
    path = (*place, *USED_BY[uses])
    node, known = document.node(path), plugins.targets[USED_BY[uses][-1]]
    if isinstance(node, Scalar) and "{{" not in node.text and node.text not in known:
        message = f"the targets file has no {USED_BY[uses][-1]} `{node.text[:100]}`"
        hint = suggestion(node.text, known) or "add it there (FIRELINE_TARGETS)"
        findings.error(document, path, message, hint, code=codes.UNKNOWN_NAME)


def _check_address(document: Document, path: Path, plugins: Plugins, findings: Findings) -> None:
    node = document.node(path)
    host = _host(node.text) if isinstance(node, Scalar) else ""
    against = plugins.against_host(host) if host and plugins.against_host is not None else None
    if against is not None:
        hint = f"add `{host}` to FIRELINE_HTTP_ALLOW, where this Fireline is set up"
        findings.warning(document, path, f"this would be refused: {against}", hint, code=codes.NOT_ALLOWED)


def _check_secrets(document: Document, place: Path, findings: Findings) -> None:
    """What is secret, and is written where everybody reads it: in a header, or in an address, which is not sent."""
    headers = document.node((*place, "headers"))
    for name, part in headers.nodes.items() if isinstance(headers, Entries) else ():
        plain = isinstance(part, Scalar) and part.text and "secret:" not in part.text and "{{" not in part.text
        if name.lower() in _SECRETS and plain:
            message = f"what `{name}` proves stands in the file for all to read"
            hint = f"write `secret:NAME`, and set FIRELINE_SECRET_NAME, as in `{name}: Bearer secret:DEPLOY`"
            findings.warning(document, (*place, "headers", name), message, hint, code=codes.NOT_ALLOWED)
    for path in ((*place, *name) for name in _ADDRESSES):
        node = document.node(path)
        if isinstance(node, Scalar) and "@" in node.text.partition("//")[2].partition("/")[0].partition("{{")[0]:
            message = "an address holds no user and no password: it would be refused"
            hint = "write `auth: {basic: {user: ..., password: secret:NAME}}`"
            findings.error(document, path, message, hint, code=codes.NOT_ALLOWED)


def _host(text: str) -> str:
    """The host of an address, empty where a place to be filled may still change it."""
    written, filled, _ = text.partition("{{")
    try:
        parts = urlsplit(written)
        return (parts.hostname or "") if parts.path or parts.query or not filled else ""
    except ValueError:
        return ""


def _check_parameters(document: Document, place: Path, commands: Mapping[str, Command], findings: Findings) -> None:
    named, given = document.node((*place, "command")), document.node((*place, "parameters"))
    command = commands.get(named.text) if isinstance(named, Scalar) else None
    if command is None or not (given is None or isinstance(given, Entries)):
        return
    values = {} if given is None else {key: part.text for key, part in given.nodes.items() if isinstance(part, Scalar)}
    for name, message, hint in _refused(command, values):
        path = (*place, "parameters", name) if name else (*place, "command")
        findings.warning(document, path, f"this would be refused: {message}", hint, code=codes.NOT_ALLOWED)


def _refused(command: Command, given: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """What the command would not be given: the parameter (empty: one is missing), why, and how to mend it."""
    for name, value in given.items():
        if name not in command.parameters:
            yield name, f"there is no parameter `{name}`", suggestion(name, command.parameters)
        elif "{{" not in value and "{{" not in name and not command.takes(name, value):
            yield name, f"`{value[:80]}` does not match {command.parameters[name]}", "the targets file has the pattern"
    for name in sorted(command.parameters.keys() - given.keys()):
        yield "", f"the parameter `{name}` is missing", f"add `{name}` to `parameters`"
