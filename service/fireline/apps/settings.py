"""Settings: what the environment says, checked as a whole at start and told like faults of a file.

Every variable is `FIRELINE_` and the field's name in capitals. Lists are written `a,b`, mappings `a=b,c=d`.
"""

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import unquote

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from fireline.domain.topics import may_be_read
from fireline.sources import FORMATS
from fireline.spec.hosts import Host

PREFIX = "FIRELINE_"
LOOPBACK = ("127.0.0.1", "::1", "localhost")
NATIVE_TOPICS = {
    "fireline.metrics": "native",
    "fireline.predictions": "native",
    "fireline.feedback": "native",
    "fireline.events": "native",
}
_DATABASES = ("sqlite://", "sqlite+pysqlite://", "postgresql+psycopg://")
_ADDRESS = re.compile(r"^(?:\[[0-9A-Fa-f:.]+\]|[^:\[\]]*)(?::[0-9]{1,5})?$")
_ASKED_PASSWORD = re.compile(r"[?&](?:ssl)?password=([^&]+)")
_HOST_PORT = re.compile(r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):\d{1,5}$")
_MAILBOX = r"[A-Za-z0-9_%+-]+(?:\.[A-Za-z0-9_%+-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*"
_SENDER = re.compile(rf"^(?:[A-Za-z0-9 _-]*<{_MAILBOX}>|{_MAILBOX})\Z")
_SIGNING = re.compile(r"^whsec_[A-Za-z0-9+/]{32,86}={0,2}\Z")
_HINTS = {
    "allowed_lateness": "write seconds, from 0 to 604800 (a week)",
    "future_bound": "write seconds, from 0 to 604800 (a week)",
    "database": "write an SQLAlchemy URL, such as sqlite:///.fireline/fireline.db or postgresql://user@host/fireline",
    "kafka": "write host:port, several separated by commas; leave it unset for the embedded broker",
    "web_port": "choose a port from 0 (any free one) to 65535",
    "log_level": "choose debug, info, warning or error",
    "topics": "write topic=format, several separated by commas, such as fireline.metrics=native",
    "kafka_protocol": "choose PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",
    "kafka_sasl_mechanism": "choose PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
    "targets": "give the path of a file in YAML form: docs/reference/targets.md",
    **dict.fromkeys(
        ("kafka_ssl_ca", "kafka_ssl_cert", "kafka_ssl_key", "email_ca"), "give the path of a file in PEM form"
    ),
    "email_server": "write host:port, such as smtp.example.com:587",
    "email_from": "write a mail address, such as fireline@example.com or `Fireline <fireline@example.com>`",
    "email_security": "choose starttls, tls or none",
    "webhook_secret": "write whsec_ and 24 to 64 random bytes in Base64: echo whsec_$(openssl rand -base64 32)",
    "pagerduty_url": "write a URL that starts with https:// or http://",
    "audit_key": "make one with `openssl rand -hex 32`, and keep the old ones behind it when you change it",
    "slack_base_url": "write a URL that starts with https:// or http://",
}


@dataclass(frozen=True, slots=True)
class SettingFault:
    """One fault of one variable: what was found (secrets never shown), what was expected, how to mend it."""

    variable: str
    found: str
    expected: str
    hint: str = ""

    def __str__(self) -> str:
        """One line, and the hint below it."""
        line = f"{self.variable}: error: found {self.found}, expected {self.expected}"
        return line + (f"\n  hint: {self.hint}" if self.hint else "")


class SettingsFault(Exception):  # noqa: N818 - named like the faults of files beside it
    """The environment cannot be used; `faults` holds every one of them, its text is ready to be printed."""

    def __init__(self, faults: Sequence[SettingFault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in faults))


class Settings(BaseSettings):
    """Everything a process needs to know before it can read rules: where things are and how to reach them."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore")

    database: str = Field(
        "sqlite:///.fireline/fireline.db", description="the database, as an SQLAlchemy URL of SQLite or PostgreSQL"
    )
    kafka: str | None = Field(
        None, description="bootstrap servers as `host:port`, several separated by commas; unset: the embedded broker"
    )
    kafka_generation: str | None = Field(None, description="set by `fireline up` for the roles that it starts")
    stream_instance: str | None = Field(
        None, description="a lasting name of one stream worker, so that it comes back quickly after a crash"
    )
    kafka_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how Kafka is spoken to"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="how the user is proved to Kafka, with SASL; PLAIN when unset"
    )
    kafka_user: str | None = Field(None, description="the user, with SASL")
    kafka_password: SecretStr | None = Field(None, description="the user's password, with SASL")
    kafka_ssl_ca: Path | None = Field(
        None, description="a file of certificates in PEM form that brokers are checked against; unset: the system's"
    )
    kafka_ssl_cert: Path | None = Field(
        None, description="our certificate and its chain, in PEM form, for brokers that ask for one"
    )
    kafka_ssl_key: Path | None = Field(None, description="its key in PEM form; unset: in the certificate's file")
    kafka_ssl_key_password: SecretStr | None = Field(None, description="what opens the key, when it is locked")
    topics: Annotated[Mapping[str, str], NoDecode] = Field(
        default_factory=lambda: dict(NATIVE_TOPICS),
        description="topics that events come on, as `topic=format`; `topics.yaml` adds to them, and wins over them",
    )
    allowed_lateness: float = Field(
        default=30.0,
        ge=0,
        le=604_800,
        description="seconds that an event may be older than its record in Kafka; older ones are dead letters",
    )
    future_bound: float = Field(
        default=300.0,
        ge=0,
        le=604_800,
        description="seconds that an event may be newer than its record in Kafka; newer ones are dead letters",
    )
    rules: Path = Field(Path("rules"), description="the directory of rules, catalog, schedules and severities")
    runbooks: Path = Field(Path("runbooks"), description="the directory of runbooks")
    state_dir: Path = Field(Path(".fireline"), description="a directory for what a stream worker may keep on disk")
    slack_bot_token: SecretStr | None = Field(None, description="switches Slack on; begins with `xoxb-`")
    slack_app_token: SecretStr | None = Field(None, description="lets clicks come back; begins with `xapp-`")
    slack_base_url: str = Field("https://slack.com/api/", description="where Slack's API is")
    email_server: str | None = Field(None, description="switches mail on: the server as `host:port`")
    email_from: str | None = Field(None, description="who mails come from: an address, or `Name <address>`")
    email_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="how the mail server is spoken to; `none` takes no password"
    )
    email_user: str | None = Field(None, description="the user at the mail server; unset: no authentication")
    email_password: SecretStr | None = Field(None, description="the user's password")
    email_ca: Path | None = Field(None, description="the mail server's authorities in PEM form; unset: the system's")
    webhook_secret: SecretStr | None = Field(None, description="switches webhooks on: signs them; begins with `whsec_`")
    pagerduty_url: str = Field("https://events.pagerduty.com/v2/enqueue", description="where PagerDuty takes events")
    installation: str = Field(
        "fireline",
        pattern=r"^[A-Za-z0-9._-]{1,60}$",
        description="this Fireline's name, which tells its messages from another's at PagerDuty and in mailboxes",
    )
    web_host: str = Field("127.0.0.1", description="the address that `fireline web` listens on")
    web_port: int = Field(default=8321, ge=0, le=65535, description="its port; 0 is any free one")
    web_url: str | None = Field(None, description="the address that people reach it under; messages link to it")
    api_token: SecretStr | None = Field(
        None,
        description="what callers of the API and of the status page show; a must when other machines can reach them",
    )
    http_allow: Annotated[tuple[Host, ...], NoDecode] = Field(
        (), description="hosts and networks that `http.*` steps may reach, separated by commas"
    )
    targets: Path | None = Field(
        None, description="a file of the topics, commands, databases and Prometheus servers that runbooks may use"
    )
    audit_key: SecretStr | None = Field(
        None,
        description="keys of the audit, by commas: the first seals, all verify; unset: a file in the state directory",
    )
    stall_after: float = Field(
        default=30.0, ge=1, description="seconds without progress after which a stream worker ends, to be started again"
    )
    blind_after: float = Field(
        default=60.0, ge=1, description="seconds without sight of events or database until a page says so"
    )
    blind_again: float = Field(default=900.0, ge=1, description="seconds until that is said again, as long as it lasts")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="what is logged")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment and what a command line passes; no files that could surprise."""
        return init_settings, env_settings

    @field_validator("topics", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [part.strip() for part in value.split(",") if part.strip()]
        pairs = [part.partition("=") for part in parts]
        if not pairs or any(not name.strip() or not form.strip() for name, _, form in pairs):
            raise PydanticCustomError("setting", "topic=format pairs separated by commas")
        return {name.strip(): form.strip() for name, _, form in pairs}

    @field_validator("topics")
    @classmethod
    def _formats(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for topic, form in value.items():
            if form not in FORMATS:
                raise PydanticCustomError("setting", "a format of {known}", {"known": ", ".join(sorted(FORMATS))})
            if not may_be_read(topic):
                raise PydanticCustomError("setting", "topics that Fireline does not write itself, named as Kafka may")
        return value

    @field_validator("http_allow", mode="before")
    @classmethod
    def _list(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("database")
    @classmethod
    def _database(cls, value: str) -> str:
        for short in ("postgresql://", "postgres://"):
            if value.startswith(short):
                value = "postgresql+psycopg://" + value.removeprefix(short)
        if not value.startswith(_DATABASES) or not _has_address(value):
            raise PydanticCustomError("setting", "a URL of SQLite or PostgreSQL")
        return value

    @field_validator("kafka")
    @classmethod
    def _servers(cls, value: str | None) -> str | None:
        if value is None:
            return None
        servers = [server.strip() for server in value.split(",")]
        if not all(_HOST_PORT.match(server) for server in servers):
            raise PydanticCustomError("setting", "bootstrap servers as host:port")
        return ",".join(servers)

    @field_validator("email_server")
    @classmethod
    def _mail_server(cls, value: str | None) -> str | None:
        if value is not None and not (_HOST_PORT.match(value) and 0 < int(value.rpartition(":")[2]) <= 65535):
            raise PydanticCustomError("setting", "host:port")
        return value

    @field_validator("email_from")
    @classmethod
    def _sender(cls, value: str | None) -> str | None:
        if value is not None and not _SENDER.match(value):
            raise PydanticCustomError("setting", "a mail address")
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _signing(cls, value: SecretStr | None) -> SecretStr | None:
        for part in (value.get_secret_value().split() or [""]) if value is not None else ():
            if not _SIGNING.match(part) or len(part) % 4 != len("whsec_") % 4:
                raise PydanticCustomError("setting", "whsec_ and 24 to 64 bytes in Base64")
        return value

    @field_validator("kafka_ssl_ca", "kafka_ssl_cert", "kafka_ssl_key", "email_ca", "targets")
    @classmethod
    def _readable(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise PydanticCustomError("setting", "a file that exists")
        return value

    @field_validator("slack_base_url", "web_url", "pagerduty_url")
    @classmethod
    def _url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("https://", "http://")):
            raise PydanticCustomError("setting", "an http or https URL")
        return value

    @field_validator("audit_key")
    @classmethod
    def _long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and any(len(key.strip()) < 16 for key in value.get_secret_value().split(",")):
            raise PydanticCustomError("setting", "keys of 16 characters or more, separated by commas")
        return value

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.kafka_protocol.startswith("SASL") and not (self.kafka_user and self.kafka_password):
            raise _pair_fault("kafka_protocol", "FIRELINE_KAFKA_USER and FIRELINE_KAFKA_PASSWORD beside SASL")
        if self.kafka_ssl_key is not None and self.kafka_ssl_cert is None:
            raise _pair_fault("kafka_ssl_cert", "FIRELINE_KAFKA_SSL_CERT beside FIRELINE_KAFKA_SSL_KEY")
        if self.kafka_ssl_cert is not None and not self.kafka_protocol.endswith("SSL"):
            raise _pair_fault("kafka_protocol", "SSL or SASL_SSL beside FIRELINE_KAFKA_SSL_CERT")
        if self.slack_app_token is not None and self.slack_bot_token is None:
            raise _pair_fault("slack_bot_token", "FIRELINE_SLACK_BOT_TOKEN beside FIRELINE_SLACK_APP_TOKEN")
        if (self.email_server is None) != (self.email_from is None):
            raise _pair_fault("email_server", "FIRELINE_EMAIL_SERVER and FIRELINE_EMAIL_FROM together, or neither")
        if (self.email_user is None) != (self.email_password is None):
            raise _pair_fault("email_user", "FIRELINE_EMAIL_USER and FIRELINE_EMAIL_PASSWORD together, or neither")
        if self.email_user is not None and self.email_security == "none":
            raise _pair_fault("email_security", "starttls or tls beside FIRELINE_EMAIL_USER")
        if self.web_host not in LOOPBACK and self.api_token is None:
            raise _pair_fault("api_token", f"FIRELINE_API_TOKEN when FIRELINE_WEB_HOST is {self.web_host}")
        return self

    @property
    def audit_keys(self) -> tuple[str, ...]:
        """The keys of the audit that the environment gives, the one that seals first."""
        given = "" if self.audit_key is None else self.audit_key.get_secret_value()
        return tuple(key.strip() for key in given.split(",") if key.strip())

    def secrets(self) -> tuple[str, ...]:
        """The values that may never appear in a log, a message or a timeline."""
        held = (
            self.kafka_password,
            self.kafka_ssl_key_password,
            self.slack_bot_token,
            self.slack_app_token,
            self.email_password,
            self.webhook_secret,
            self.api_token,
            *(SecretStr(key) for key in self.audit_keys),
        )
        named = [value for name, value in sorted(os.environ.items()) if name.startswith(PREFIX + "SECRET_")]
        found = [secret.get_secret_value() for secret in held if secret is not None] + named
        return tuple(found) + _passwords(self.database)


def _has_address(url: str) -> bool:
    """Whether the address of a database URL is one: a host and a port that is a number, nothing at all for a file."""
    scheme, _, rest = url.partition("://")
    address = (rest if _password_of(rest) is None else rest.partition("@")[2]).partition("/")[0].partition("?")[0]
    if scheme.startswith("sqlite"):
        return not address
    return _ADDRESS.match(address.rpartition("@")[2]) is not None


def _passwords(url: str) -> tuple[str, ...]:
    """The passwords of a database URL as they are written there and as they are sent.

    One that logs hold for other reasons, as the user's name, counts between its marks only.
    """
    rest = url.partition("://")[2]
    before = _password_of(rest)
    asked = _ASKED_PASSWORD.findall(rest)
    if before is not None and unquote(before) in (unquote(rest.partition(":")[0]), "fireline"):
        return (f":{before}@", *asked)
    found = [before, *asked] if before else asked
    return tuple(dict.fromkeys(form for password in found for form in (password, unquote(password))))


def _password_of(rest: str) -> str | None:
    """The password before the `@` of a URL without its scheme, None when it has none."""
    user, colon, password = rest.partition("@")[0].partition(":")
    return password if colon and "@" in rest and "/" not in user else None


def load_settings(**given: object) -> Settings:
    """The settings of this environment, `given` ones winning; raises one `SettingsFault` with all faults."""
    faults = _unknown_variables()
    try:
        settings = Settings(**given)  # type: ignore[arg-type]  # pydantic checks what a command line passes
    except ValidationError as error:
        faults += [_fault(detail) for detail in error.errors()]
        raise SettingsFault(faults) from None
    if faults:
        raise SettingsFault(faults)
    return settings


def _pair_fault(field: str, expected: str) -> PydanticCustomError:
    return PydanticCustomError("pair", "{expected}", {"field": field, "expected": expected})


def _fault(detail: ErrorDetails) -> SettingFault:
    context = detail.get("ctx", {})
    field = str(detail["loc"][0]) if detail["loc"] else str(context.get("field", ""))
    variable = PREFIX + field.upper()
    if detail["type"] == "pair":
        return SettingFault(variable, "a combination that cannot work", str(context["expected"]), "set them together")
    found = "a value that is not shown" if _is_secret(field) else repr(detail["input"])
    expected = detail["msg"].removeprefix("Input should be ")
    return SettingFault(variable, found, expected, _HINTS.get(field, f"mend {variable}, or unset it for the default"))


def _is_secret(field: str) -> bool:
    known = Settings.model_fields.get(field)
    # a URL of a database may carry a password
    return field == "database" or (known is not None and "SecretStr" in str(known.annotation))


def _unknown_variables() -> list[SettingFault]:
    """Variables that look like a slip of the pen; others may belong to plugins and are left alone."""
    known, faults = {PREFIX + name.upper() for name in Settings.model_fields}, []
    for name in sorted(set(os.environ) - known):
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.88) if name.startswith(PREFIX) else []
        if near:
            faults.append(SettingFault(name, "a variable no setting has", near[0], f"rename it to {near[0]}"))
    return faults
