"""Baselines: what fields looked like at a good time, `rules/baselines/NAME.json`, as `fireline baseline build` wrote.

What a file knows of a field is a measure's own matter (`MeasureSchema.reference`); here it is read, bounded and found.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fireline.spec.findings import suggestion
from fireline.spec.rule_forms import KindName

FOLDER = "baselines"
MAX_BYTES = 4 * 1024 * 1024
VERSION: Literal[1] = 1
_BUILD = "build it anew with `fireline baseline build`"


class FieldForm(BaseModel):
    """One field: its kind, how many events had it and lacked it, and the sketch of how far above `origin` it was."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)
    kind: Literal["numeric", "categorical"]
    count: Annotated[int, Field(ge=0)]
    missing: Annotated[int, Field(ge=0)] = 0
    origin: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    state: Any


class BaselineForm(BaseModel):
    """A baseline file, as far as rules need it."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)
    fireline_baseline: Literal[1]
    on: KindName
    fields: Annotated[dict[str, FieldForm], Field(max_length=1000)]


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why there is no such baseline, or why it cannot be used, and how to mend it."""

    message: str
    hint: str
    missing: bool = False


@dataclass(slots=True)
class Baselines:
    """The baselines of a directory, each read when it is first asked for.

    `texts` holds the files that could be used, by their names relative to the directory of rules.
    """

    directory: Path
    texts: dict[str, str] = field(default_factory=dict)
    _read: dict[str, BaselineForm | Unusable] = field(default_factory=dict)

    def get(self, name: str) -> BaselineForm | Unusable:
        """The baseline of that name, or why it cannot be had."""
        if name not in self._read:
            self._read[name] = self._found(name)
        return self._read[name]

    def _found(self, name: str) -> BaselineForm | Unusable:
        path = self.directory / f"{name}.json"
        if path.parent != self.directory or not path.is_file():
            return Unusable(f"there is no baseline `{name}`: {path.as_posix()} is missing", self._hint(name), True)
        try:
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
            found = _form(content)
            if isinstance(found, BaselineForm):
                self.texts[f"{FOLDER}/{name}.json"] = content.decode()
        except (OSError, UnicodeDecodeError) as fault:
            found = str(getattr(fault, "strerror", None) or fault)
        if isinstance(found, BaselineForm):
            return found
        return Unusable(f"the baseline `{name}` cannot be used: {path.as_posix()}: {found}", _BUILD)

    def _hint(self, name: str) -> str:
        known = [path.stem for path in self.directory.glob("*.json")]
        near = suggestion(name, known) if known else ""
        return near or f"build it: `fireline baseline build {name} EVENTS --on prediction --fields FIELD,...`"


def _form(content: bytes) -> BaselineForm | str:
    """What a file holds, or what is wrong with it."""
    if len(content) > MAX_BYTES:
        return f"the file has more than {MAX_BYTES} bytes"
    try:
        body = orjson.loads(content)
    except ValueError as fault:
        return f"it is not JSON: {fault}"
    if not isinstance(body, Mapping):
        return "a mapping was expected"
    if body.get("fireline_baseline") != VERSION:
        return f"`fireline_baseline: {VERSION}` was expected, found {str(body.get('fireline_baseline'))[:40]}"
    try:
        return BaselineForm.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))[:80]}: {first['msg']}"
