"""Entries of an allow-list of hosts: what may stand there. What never matches anything would be a trap at night."""

import ipaddress
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

_EXPECTED = "hosts and networks, such as *.example.com or 10.1.0.0/16, without scheme, port and path"


def _host(entry: str) -> str:
    try:
        ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        name = entry.removeprefix("*.").rstrip(".")
        if not name or any(sign in name for sign in "*/:@?#[] "):
            raise PydanticCustomError("setting", _EXPECTED) from None
    return entry


Host = Annotated[str, AfterValidator(_host)]
"""A host's name, with `*.` before it or not, an address, or a network."""
