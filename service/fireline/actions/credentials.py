"""Who a step says it is: a secret by its name, filled in where the request is sent and nowhere before."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field, model_validator

from fireline.actions.schema import Options

SecretRef = Annotated[str, Field(pattern=r"^secret:[A-Za-z][A-Za-z0-9_]{0,99}$")]
"""The name of a secret: `secret:DEPLOY`."""


class Basic(Options):
    """A user and a password."""

    user: str = Field(pattern=r"^[^:\x00-\x1f]{1,200}$", description="the user")
    password: SecretRef = Field(description="the password, as `secret:NAME`")


class OwnHeader(Options):
    """A header that proves who asks."""

    name: str = Field(pattern=r"^[A-Za-z0-9-]{1,100}$", description="its name, such as `X-Api-Key`")
    value: SecretRef = Field(description="its value, as `secret:NAME`")


class Auth(Options):
    """One of `bearer`, `basic` and `header`; secrets by their names."""

    bearer: SecretRef | None = Field(None, description="a token, as `secret:NAME`")
    basic: Basic | None = Field(None, description="`{user, password}`")
    header: OwnHeader | None = Field(None, description="`{name, value}`")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(part is not None for part in (self.bearer, self.basic, self.header)) != 1:
            raise ValueError("give one of `bearer`, `basic` and `header`")
        return self


@dataclass(frozen=True, slots=True)
class Shown:
    """What a request shows: headers in which secrets are named, or a user with the name of a password."""

    headers: Mapping[str, str]
    basic: tuple[str, str] | None = None


def shown(auth: Auth | None) -> Shown:
    """How a request says who asks."""
    if auth is None:
        return Shown({})
    if auth.basic is not None:
        return Shown({}, (auth.basic.user, auth.basic.password.removeprefix("secret:")))
    if auth.header is not None:
        return Shown({auth.header.name: auth.header.value})
    return Shown({"Authorization": f"Bearer {auth.bearer}"})


def as_written(auth: Auth | None, written: object) -> bool:
    """Whether all of it is to the letter what the author wrote: no event may name a secret, or a user for one."""
    if auth is None:
        return True
    given = written.get("auth") if isinstance(written, Mapping) else None
    return isinstance(given, Mapping) and given == auth.model_dump(exclude_none=True) and "{{" not in str(given)
