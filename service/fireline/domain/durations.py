"""Durations and moments as people write them: `30s`, `2m`, `1h30m`, `14:05 UTC`; inside they are seconds."""

import re
from datetime import UTC, datetime

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+$"
LONGEST = 3_660 * 86_400.0
_PART = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(ms|s|m|h|d|w)")
_WORDS = {
    "ms": "ms msec msecs millis millisecond milliseconds",
    "s": "s sec secs second seconds",
    "m": "m min mins minute minutes",
    "h": "h hr hrs hour hours",
    "d": "d day days",
    "w": "w wk week weeks",
}
_UNIT_OF = {word: unit for unit, words in _WORDS.items() for word in words.split()}
_IN_WORDS = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([a-z]+)[\s,]*")


def seconds(value: object) -> float:
    """The seconds of a duration; raises ValueError that says what was found and how to write it."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("a duration was expected, such as 30s, 2m, 1h or 7d")
    text = str(value).strip()
    if re.fullmatch(r"[-+]?[0-9.]+", text):
        raise ValueError(f"the duration `{text}` has no unit; write {text}s, {text}m, {text}h or {text}d")
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        meant = _meant(text) or "one such as 30s, 2m, 1h30m or 7d"
        raise ValueError(f"`{text[:40]}` is not a duration; write {meant}")
    total = sum(float(number) * UNITS[unit] for number, unit in parts)
    if total > LONGEST:
        raise ValueError(f"the duration `{text[:40]}` is longer than ten years")
    return float(total)


def _meant(text: str) -> str:
    """How a duration in longer words (`5 minutes`, `1h 30min`) is written; empty when it is none."""
    parts = _IN_WORDS.findall(text.lower())
    if _IN_WORDS.sub("", text.lower()) or any(word not in _UNIT_OF for _, word in parts):
        return ""
    return "".join(number + _UNIT_OF[word] for number, word in parts)


def positive_seconds(value: object) -> float:
    """The seconds of a duration that is longer than nothing; raises ValueError as `seconds` does."""
    duration = seconds(value)
    if duration <= 0:
        raise ValueError("the duration must be longer than nothing")
    return duration


def written(duration: float) -> str:
    """A duration in the largest unit that gives a short number."""
    for unit, size in reversed(UNITS.items()):
        if duration >= size and (duration / size).is_integer():
            return f"{duration / size:.0f}{unit}"
    return f"{duration:g}s"


def spelled(duration: float) -> str:
    """A duration for readers, in its largest unit and what is left over: `1w1h`, `1m10s`."""
    unit, size = next(((unit, size) for unit, size in reversed(UNITS.items()) if size <= duration), ("s", 1.0))
    whole = int(duration / size + 1e-9)
    rest = round(duration - whole * size, 3)
    return f"{whole}{unit}" + (written(rest) if rest else "")


def wall_time(at: float, now: float) -> str:
    """A moment, in seconds since the epoch, for people anywhere: `14:05 UTC`, on other days `Fri 20 Nov 14:05 UTC`."""
    there, here = datetime.fromtimestamp(at, UTC), datetime.fromtimestamp(now, UTC)
    return f"{there:%H:%M} UTC" if there.date() == here.date() else f"{there:%a %d %b %H:%M} UTC"
