"""Dead letters for eyes and for tools: bytes that cannot harm a terminal, JSON lines, and the way back from these."""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import orjson

from fireline.apps.dead_letters import Letter

_ROW = 16
_HEX_ROWS = 64


def escaped(text: str) -> str:
    """`text` with everything that is not plainly visible written as `\\x1b`, `\\u202e` or `\\n`."""
    return "".join(ch if ch.isprintable() else ch.encode("unicode_escape").decode() for ch in text)


def shown_bytes(value: bytes | None, limit: int = 0) -> str:
    """Bytes on one line: text as it is, anything else escaped; `-` when there are none. `limit` 0 shows all."""
    if value is None:
        return "-"
    kept = value[: limit * 4] if limit else value
    text = escaped(kept.decode("utf-8", "backslashreplace"))
    return text[: limit - 1] + "…" if limit and (len(text) > limit or len(kept) < len(value)) else text


def parsed(value: bytes | None) -> object:
    """The JSON in bytes, numbers exact as they are; `NOT_JSON` when there is none."""
    try:
        orjson.loads(value or b"")  # as strict as the formats are: no NaN, no broken UTF-8
        return json.loads(value or b"")
    except (ValueError, RecursionError):
        return NOT_JSON


class _NotJson:
    """No JSON value, not even null."""


NOT_JSON = _NotJson()


def pretty(value: bytes | None) -> list[str]:
    """JSON indented, text as lines, other bytes as a hexdump; nothing in it moves a cursor."""
    if not value:
        return ["(no value)" if value is None else "(no bytes)"]
    body = parsed(value)
    if body is not NOT_JSON:
        return [escaped(line) for line in json.dumps(body, indent=2, ensure_ascii=False).split("\n")]
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return list(hexdump(value))
    return [escaped(line) for line in text.split("\n")]


def hexdump(value: bytes) -> Iterator[str]:
    """Rows of sixteen bytes, in hexadecimal and as ASCII; at most a kilobyte of them."""
    for at in range(0, min(len(value), _ROW * _HEX_ROWS), _ROW):
        row = value[at : at + _ROW]
        seen = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        yield f"{at:08x}  {row.hex(' ', 1):<{_ROW * 3 - 1}}  |{seen}|"
    if len(value) > _ROW * _HEX_ROWS:
        yield f"... {len(value) - _ROW * _HEX_ROWS} bytes more"


def fault_in(value: bytes | None) -> tuple[int, int, str] | None:
    """Line and column (from 1) at which bytes stop being JSON, and that line with a mark below; None for JSON."""
    try:
        orjson.loads(value or b"")
    except orjson.JSONDecodeError as fault:
        text = (value or b"").decode("utf-8", "replace")
        line = text.split("\n")[fault.lineno - 1] if fault.lineno <= text.count("\n") + 1 else ""
        start = max(0, fault.colno - 40)
        before = escaped(line[start : fault.colno - 1])
        return fault.lineno, fault.colno, f"{before}{escaped(line[fault.colno - 1 :][:40])}\n{' ' * len(before)}^"
    return None


def as_json(letter: Letter, state: str, sent: str | None = None) -> dict[str, object]:
    """One line of `ls --json`; `mended_of` reads it back. The value is `value` (JSON), `text`, or `base64`."""
    line: dict[str, object] = {
        "place": str(letter.place),
        "letter": f"{letter.where.partition}@{letter.where.offset}",
        "reason": letter.reason,
        "detail": letter.detail,
        "at": _rfc3339(letter.at),
        "timestamp": _rfc3339(letter.timestamp),
        "state": state,
    }
    if sent is not None:
        line["sent_to"] = sent
    if letter.truncated is not None:
        line["truncated"] = letter.truncated
    line |= {"key": _held(letter.key), "headers": [[name, _held(value)] for name, value in letter.headers]}
    return line | _body(letter.value)


def _rfc3339(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return str(at)


def _held(value: bytes | None) -> object:
    """Text where bytes are text, else `{"base64": ...}`."""
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _body(value: bytes | None) -> dict[str, object]:
    body = parsed(value)
    if body is not NOT_JSON:
        return {"value": body}
    held = _held(value)
    return held if isinstance(held, dict) else {"text": held}


def line_of(told: Mapping[str, object]) -> str:
    """One JSON line in ASCII: what a terminal would obey is escaped."""
    return json.dumps(told, ensure_ascii=True, separators=(", ", ": "))


def bytes_of(line: Mapping[str, object], original: bytes | None) -> bytes | None:
    """The value of an edited line; the very bytes when the JSON in it is as it was. Raises ValueError."""
    found = [name for name in ("value", "text", "base64") if name in line]
    if len(found) != 1:
        raise ValueError(f"found {' and '.join(found) or 'no value'}; expected one of `value`, `text` and `base64`")
    if found == ["value"]:
        same = _same(line["value"], parsed(original))
        return original if same else json.dumps(line["value"], ensure_ascii=False, allow_nan=False).encode()
    return unheld(line["text"] if found == ["text"] else {"base64": line["base64"]})


def _same(one: object, other: object) -> bool:
    """As JSON: 1, 1.0 and true are three things."""
    if other is NOT_JSON:
        return False
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def unheld(held: object) -> bytes | None:
    """The bytes of a text, of `{"base64": ...}`, or None. Raises ValueError."""
    match held:
        case None:
            return None
        case str():
            return held.encode()
        case {"base64": str(text)}:
            try:
                return base64.b64decode(text, validate=True)
            except binascii.Error as fault:
                raise ValueError(f"found base64 that cannot be read: {fault}") from fault
        case _:
            raise ValueError(f'found {str(held)[:60]!r}; expected a text, {{"base64": ...}} or null')
