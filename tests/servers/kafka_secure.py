"""Apache Kafka that demands proof: listeners with TLS, client certificates, PLAIN and SCRAM, and some with faults."""

import datetime
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization as pem

from fireline.adapters.kafka_connection import Connection
from tests.servers.kafka import JARS, ApacheKafka
from tests.servers.ports import free_port

USER, PASSWORD = "fireline", "right-Kafka-pass.word"
NOBODY = "nobody"
KEY_PASSWORD = "opens-the-key.file"
PROTOCOLS = {
    "SASL_SSL": "SASL_SSL",
    "SASL_PLAINTEXT": "SASL_PLAINTEXT",
    "SSL": "SSL",
    "MUTUAL": "SSL",
    "EXPIRED": "SSL",
    "ELSEWHERE": "SSL",
}
"""The listeners and how they are spoken to. The last two show a certificate that is over, and one of another host."""


@dataclass(frozen=True)
class Papers:
    """Certificates in a directory: of two authorities, of brokers (good and faulty ones), of a client."""

    directory: Path
    authority: trustme.CA = field(default_factory=trustme.CA)

    @property
    def ca(self) -> Path:
        return self.directory / "ca.pem"

    @property
    def other_ca(self) -> Path:
        return self.directory / "other-ca.pem"

    @property
    def cert(self) -> Path:
        return self.directory / "client.cert.pem"

    @property
    def key(self) -> Path:
        return self.directory / "client.key.pem"

    @property
    def locked_key(self) -> Path:
        return self.directory / "client.locked-key.pem"

    def write(self) -> None:
        self.authority.cert_pem.write_to_path(self.ca)
        trustme.CA().cert_pem.write_to_path(self.other_ca)
        over = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
        self._store("broker", self.authority.issue_cert("localhost", "127.0.0.1"))
        self._store("expired", self.authority.issue_cert("localhost", "127.0.0.1", not_after=over))
        self._store("elsewhere", self.authority.issue_cert("kafka.elsewhere.example"))
        client = self.authority.issue_cert("fireline.example", common_name=USER)
        for blob in client.cert_chain_pems:
            blob.write_to_path(self.cert, append=True)
        self.key.write_bytes(_pkcs8(client))
        self.locked_key.write_bytes(_pkcs8(client, KEY_PASSWORD))

    def _store(self, name: str, made: trustme.LeafCert) -> None:
        """Key and certificates in one file, as Kafka reads them."""
        chain = b"".join(blob.bytes() for blob in made.cert_chain_pems)
        (self.directory / f"{name}.pem").write_bytes(_pkcs8(made) + chain)


def _pkcs8(made: trustme.LeafCert, password: str | None = None) -> bytes:
    key = pem.load_pem_private_key(made.private_key_pem.bytes(), None)
    locked = pem.BestAvailableEncryption(password.encode()) if password else pem.NoEncryption()
    return key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, locked)


class SecureKafka(ApacheKafka):
    """A node with the listeners of `PROTOCOLS`, each on a port of its own; the user `nobody` may do nothing."""

    def __init__(self, directory: Path, heap: str = "400m") -> None:
        self.papers = Papers(directory)
        self.papers.write()
        self.ports = {name: free_port() for name in PROTOCOLS}
        super().__init__(
            directory, heap, extra=_properties(self.papers, self.ports), listeners=self.ports, users=_USERS
        )

    def by(self, listener: str, mechanism: str | None = None, **more: object) -> Connection:
        """How to reach a listener as it should be reached; `more` changes parts of it."""
        protocol = PROTOCOLS[listener]
        known: dict[str, object] = {"protocol": protocol}
        if protocol.endswith("SSL"):
            known["ca"] = self.papers.ca
        if protocol.startswith("SASL"):
            known |= {"mechanism": mechanism or "SCRAM-SHA-512", "user": USER, "password": PASSWORD}
        if listener == "MUTUAL":
            known |= {"cert": self.papers.cert, "key": self.papers.key}
        return Connection(f"127.0.0.1:{self.ports[listener]}", **{**known, **more})


_USERS = tuple(
    f"{mechanism}=[name={name},password={PASSWORD}]"
    for name in (USER, NOBODY)
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
)


def _properties(papers: Papers, ports: dict[str, int]) -> dict[str, str]:
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    said = {
        "listener.security.protocol.map": ",".join(
            f"{name}:{protocol}"
            for name, protocol in {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT", **PROTOCOLS}.items()
        ),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(papers.directory / "broker.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(papers.ca),
        "listener.name.mutual.ssl.client.auth": "required",
        "ssl.principal.mapping.rules": "RULE:^.*CN=([a-z]+).*$/$1/,DEFAULT",
        "listener.name.expired.ssl.keystore.location": str(papers.directory / "expired.pem"),
        "listener.name.elsewhere.ssl.keystore.location": str(papers.directory / "elsewhere.pem"),
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        "connection.failed.authentication.delay.ms": "10",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:ANONYMOUS;User:{USER}",
    }
    for listener in ("sasl_ssl", "sasl_plaintext"):
        users = f'user_{USER}="{PASSWORD}" user_{NOBODY}="{PASSWORD}"'
        said[f"listener.name.{listener}.plain.sasl.jaas.config"] = f"{plain} {users};"
        for mechanism in ("scram-sha-256", "scram-sha-512"):
            said[f"listener.name.{listener}.{mechanism}.sasl.jaas.config"] = scram
    return said


@pytest.fixture(scope="session")
def secure_kafka() -> Iterator[SecureKafka]:
    """One for the session: use topics and groups of your own, and leave it running."""
    if not JARS.is_dir() or shutil.which("java") is None:
        raise RuntimeError("Apache Kafka for tests is not installed: run `bash deploy/test-tools.sh`")
    kafka = SecureKafka(Path(tempfile.mkdtemp(prefix="fireline-kafka-")))
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.close()
        shutil.rmtree(kafka.directory, ignore_errors=True)
