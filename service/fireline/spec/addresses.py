"""Addresses of people and rooms: whether they look like those of their channel, before anybody has to be reached."""

from fireline.spec import codes
from fireline.spec.documents import Document, Path
from fireline.spec.findings import Findings
from fireline.spec.plugins import Plugins


def check_address(
    document: Document, path: Path, contact: tuple[str, str], plugins: Plugins, findings: Findings
) -> None:
    """Note an address that cannot be one of its channel, as an error, or is unlikely to be, as a warning.

    `contact` is channel and address; `path` leads to it, by way of `channels` when it is a room's. What may be
    a key is not repeated.
    """
    channel, address = contact
    if channel not in plugins.addresses:
        return
    form = plugins.addresses[channel][path[-2] == "channels"]
    if form.fits(address):
        return
    message = f"`{address}` is no address on {channel}" if form.shown else f"this is no address on {channel}"
    note = findings.error if form.certain else findings.warning
    note(document, path, message, f"expected {form.expected}", code=codes.ADDRESS)
