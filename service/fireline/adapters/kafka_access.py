"""What stands between us and Kafka, in words that say what to mend: client libraries tell only that they got nowhere.

One connection is made by hand, as far as it goes; what ends it says which setting, certificate or right is wrong.
"""

import asyncio
import errno
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from aiokafka.conn import create_conn
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from fireline.adapters.kafka_connection import Barred, Connection
from fireline.engine.ports import Unavailable

_WITHIN = 5.0
_EXPIRED, _NOT_YET, _OTHER_NAMES = 10, 9, (62, 64)
"""OpenSSL's numbers (X509_V_ERR_...) for certificates that are over, too new, and for other hosts."""
_SILENT = (errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, None)
_MAY_NOT = (ClusterAuthorizationFailedError, GroupAuthorizationFailedError, TopicAuthorizationFailedError)


@dataclass(frozen=True, slots=True)
class Barrier:
    """`said` tells the broker, what was found and how to mend it; a `passing` one may go away by itself."""

    said: str
    passing: bool


async def barrier(connection: Connection) -> Barrier | None:
    """What keeps us out of every one of the servers; None when one of them lets us in. Takes 5 s a server at most."""
    found: list[Barrier] = []
    for server in connection.servers:
        one = await _at(connection, server)
        if one is None:
            return None
        found.append(one)
    return next((one for one in found if not one.passing), found[0] if found else None)


def see_in(connection: Connection) -> None:
    """Raise `Barred` when we are kept out for good; a broker that is away is for the caller to wait for. Blocks."""
    with ThreadPoolExecutor(1) as thread:  # the caller's own may have an event loop
        found = thread.submit(asyncio.run, _alone(connection)).result()
    if found is not None and not found.passing:
        raise Barred(found.said)


async def _alone(connection: Connection) -> Barrier | None:
    found = await barrier(connection)
    if found is not None:
        await asyncio.sleep(0.05)  # the loop ends with us: a transport that failed is closed in its next turns
    return found


async def told(connection: Connection, fault: BaseException) -> Unavailable:
    """The fault of a client in words, to be raised."""
    if isinstance(fault, _MAY_NOT):
        return Barred(_may_not(connection, fault))
    found = None if isinstance(fault, TimeoutError) else await barrier(connection)
    if found is None:
        return Unavailable(f"Kafka at {connection.bootstrap} does not answer: {fault!r}")
    return Unavailable(found.said) if found.passing else Barred(found.said)


async def _at(connection: Connection, server: str) -> Barrier | None:
    host, _, port = server.rpartition(":")
    options = connection.for_aiokafka()
    del options["bootstrap_servers"]
    try:
        async with asyncio.timeout(_WITHIN):
            made = await create_conn(host.strip("[]"), int(port), client_id="fireline-access", **options)
            try:
                await made.send(MetadataRequest([]))
            finally:
                await asyncio.wait([made.close()], timeout=0.5)
    except (KafkaError, OSError, TimeoutError) as fault:
        return _barrier(connection, server, fault)
    return None


def _barrier(connection: Connection, server: str, fault: Exception) -> Barrier:
    said, passing = _met(connection, fault)
    return Barrier(f"Kafka at {server}: {said}", passing)


def _met(connection: Connection, fault: Exception) -> tuple[str, bool]:
    """What was met in words, and whether it may pass by itself."""
    said, passing = f"no answer ({getattr(fault, 'strerror', None) or fault!r})", True
    match fault:
        case ssl.SSLCertVerificationError():
            said, passing = _certificate(connection, fault), False
        case ssl.SSLError():
            said, passing = f"no TLS is possible ({fault.reason or fault}). {_other_protocol(connection)}", False
        case SaslAuthenticationFailed() | UnsupportedSaslMechanismError() | IllegalSaslStateError():
            said, passing = _proof(connection, fault), False
        case KafkaConnectionError():
            said, passing = f"it ends the connection at our first words. {_other_protocol(connection)}", False
        case TimeoutError():
            said = f"no answer within {_WITHIN:.0f} s"
        case socket.gaierror():
            said = f"the host is not known ({fault.strerror}); mend FIRELINE_KAFKA"
        case OSError() if connection.encrypted and fault.errno in _SILENT:
            said, passing = f"it ends the connection when TLS begins. {_other_protocol(connection)}", False
    return said, passing


def _certificate(connection: Connection, fault: ssl.SSLCertVerificationError) -> str:
    code, detail = fault.verify_code, fault.verify_message.rstrip(".")
    if code == _EXPIRED:
        return "the broker's certificate has expired; renew it there (or is this machine's clock wrong?)"
    if code == _NOT_YET:
        return "the broker's certificate is not valid yet; is this machine's clock wrong?"
    if code in _OTHER_NAMES:
        return f"{detail}; write the host in FIRELINE_KAFKA as the broker's certificate names it, or mend that"
    trusted = str(connection.ca) if connection.ca is not None else "the system's authorities (it is not set)"
    return (
        f"the broker's certificate is signed by nobody we trust ({detail}); FIRELINE_KAFKA_SSL_CA is to name the file "
        f"of the authority that signed it, and names {trusted}"
    )


def _proof(connection: Connection, fault: KafkaError) -> str:
    mechanism = connection.mechanism or "PLAIN"
    if isinstance(fault, IllegalSaslStateError):
        plain = "SSL" if connection.encrypted else "PLAINTEXT"
        return f"this listener asks for no user; set FIRELINE_KAFKA_PROTOCOL={plain}, or choose another port"
    if isinstance(fault, UnsupportedSaslMechanismError):
        return f"users are not proved by {mechanism} there; choose another FIRELINE_KAFKA_SASL_MECHANISM"
    return (
        f"the user {connection.user!r} is not accepted by {mechanism}; mend FIRELINE_KAFKA_USER or "
        "FIRELINE_KAFKA_PASSWORD (the mechanism has to be the one that the user was made for)"
    )


def _other_protocol(connection: Connection) -> str:
    """What a connection that just ends may mean, most likely first."""
    said = f"FIRELINE_KAFKA_PROTOCOL is {connection.protocol}: "
    if not connection.encrypted:
        return (
            said
            + "this listener may want TLS (SSL or SASL_SSL)"
            + ("" if connection.authenticated else ", or a user (SASL_PLAINTEXT)")
        )
    if connection.authenticated:
        return said + "this listener may speak no TLS (SASL_PLAINTEXT, PLAINTEXT)"
    if connection.cert is None:
        return said + "this listener may want a certificate (FIRELINE_KAFKA_SSL_CERT), a user (SASL_SSL), or no TLS"
    return said + "this listener may not trust FIRELINE_KAFKA_SSL_CERT, may want a user (SASL_SSL), or speak no TLS"


def _may_not(connection: Connection, fault: KafkaError) -> str:
    what = {
        ClusterAuthorizationFailedError: "write to its topics (idempotently)",
        GroupAuthorizationFailedError: "use its consumer group",
        TopicAuthorizationFailedError: "use the topic",
    }[type(fault)]
    named = ", ".join(str(part) for part in fault.args if part)
    who = repr(connection.user) if connection.user else "we, as Kafka knows us,"
    return (
        f"Kafka at {connection.bootstrap}: {who} may not {what}{f' ({named})' if named else ''}; grant the rights "
        "that docs/how-to/operate.md lists"
    )
