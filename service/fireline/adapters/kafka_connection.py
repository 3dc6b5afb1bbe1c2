"""How to reach Kafka: one value, said in the words of each client library."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from fireline.engine.ports import Unavailable


class Barred(Unavailable):
    """Kafka is there and does not let us in: nothing but another setting, certificate or right will help."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the brokers are and how to prove who we are. `bootstrap` is `host:port`, several separated by commas.

    `protocol` is Kafka's `security.protocol`. `cert` (with its chain) and `key` are files in PEM form that we show to
    brokers that ask for them; `key_password` opens the key. `embedded` is set for the embedded broker, which cannot
    create topics on request and does not wake a waiting fetch.
    """

    bootstrap: str
    protocol: str = "PLAINTEXT"
    mechanism: str | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    key_password: str | None = field(default=None, repr=False)
    embedded: bool = False

    @property
    def servers(self) -> list[str]:
        """The bootstrap servers one by one."""
        return [server.strip() for server in self.bootstrap.split(",") if server.strip()]

    @property
    def encrypted(self) -> bool:
        """Whether the connection is TLS."""
        return self.protocol in {"SSL", "SASL_SSL"}

    @property
    def authenticated(self) -> bool:
        """Whether we say who we are with a user and a password."""
        return self.protocol.startswith("SASL")

    def tls(self) -> ssl.SSLContext | None:
        """The TLS context (certificates and host names verified, against `ca` or the system's), None without TLS.

        Raises OSError or ssl.SSLError for files that cannot be used; `unusable_files` says it in words.
        """
        if not self.encrypted:
            return None
        context = ssl.create_default_context(cafile=None if self.ca is None else str(self.ca))
        if self.cert is not None:
            # without a password OpenSSL would ask for one at the terminal
            context.load_cert_chain(self.cert, self.key, lambda: self.key_password or "")
        return context

    def for_aiokafka(self) -> dict[str, object]:
        """Keyword arguments of aiokafka's producers and consumers."""
        options: dict[str, object] = {"bootstrap_servers": self.servers, "security_protocol": self.protocol}
        if self.encrypted:
            options["ssl_context"] = self.tls()
        if self.authenticated:
            options |= {
                "sasl_mechanism": self.mechanism or "PLAIN",
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
        return options

    def for_librdkafka(self) -> dict[str, str | int | float]:
        """Configuration of confluent-kafka's clients."""
        options: dict[str, str | int | float] = {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": self.protocol,
        }
        if self.encrypted and self.ca is not None:
            options["ssl.ca.location"] = str(self.ca)
        if self.encrypted and self.cert is not None:
            options["ssl.certificate.location"] = str(self.cert)
            options["ssl.key.location"] = str(self.key or self.cert)
            if self.key_password is not None:
                options["ssl.key.password"] = self.key_password
        if self.authenticated:
            options |= {
                "sasl.mechanism": self.mechanism or "PLAIN",
                "sasl.username": self.user or "",
                "sasl.password": self.password or "",
            }
        return options


def unusable_files(connection: Connection) -> str | None:
    """What is wrong with the files of certificates and keys, None when they can be used."""
    try:
        connection.tls()
    except OSError as fault:  # ssl.SSLError is one
        return _file_fault(connection, fault)
    return None


def _file_fault(connection: Connection, fault: OSError) -> str:
    detail = getattr(fault, "reason", None) or fault.strerror or str(fault)
    try:
        ssl.create_default_context(cafile=None if connection.ca is None else str(connection.ca))
    except OSError:
        return f"FIRELINE_KAFKA_SSL_CA: {connection.ca} holds no certificates in PEM form that can be read ({detail})"
    if detail == "KEY_VALUES_MISMATCH":
        return f"FIRELINE_KAFKA_SSL_KEY: {connection.key} is not the key of {connection.cert}"
    return (
        f"FIRELINE_KAFKA_SSL_CERT, FIRELINE_KAFKA_SSL_KEY: {connection.cert} and {connection.key or connection.cert} "
        f"cannot be used ({detail}); both are to be in PEM form, and a key that is locked needs "
        "FIRELINE_KAFKA_SSL_KEY_PASSWORD"
    )
