"""Categories: counts by the text of a field, of a bounded number of categories, merged in any order to the same
counts.

Beyond the bound it is the categories with the smallest hashes that are kept. Whichever they are among all, they are
among the smallest of every part too, so what is counted of them is exact however the events were batched; all
others are known together, as what is missing from the total.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b

from fireline.domain.events import text_of
from fireline.domain.windows import Fields, MeasureState
from fireline.measures.columns import field_column

Counts = dict[str, int]
"""How many events, by key: the hash of their category (16 hexadecimal digits), and after a space its name if kept."""

_ALL = 1 << 64
_DIGITS = 16


def category(value: object) -> str | None:
    """The category that a field's value stands for: a text, number or truth value, as labels have it; else None."""
    if type(value) is str:
        return value or None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return text_of(value) or None


def categories(rows: Sequence[Fields], of: str | None) -> Sequence[object]:
    """The category of every event; None of one that has none."""
    return [category(value) for value in field_column(rows, of)]


def key_of(text: str) -> str:
    """The hash of a category; the same in every process."""
    return blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def named_key(text: str, longest: int = 24) -> str:
    """The hash of a category and its name, of at most so many bytes: for what people are told."""
    line = " ".join(text.split()).encode(errors="replace")
    name = line if len(line) <= longest else line[: longest - 3].rstrip() + b"..."
    return f"{key_of(text)} {name.decode(errors='ignore')}"


def name_of(key: str) -> str:
    """The name of a category that was counted with it."""
    return key.partition(" ")[2]


def counted(values: Iterable[object]) -> Counts:
    """The number of events of each category; what is no text is left out."""
    found = Counter(value for value in values if isinstance(value, str))
    return {key_of(text): many for text, many in found.items()}


def add(left: Counts, right: Counts, most: int) -> Counts:
    """Both together, of at most `most` categories."""
    both = dict(left)
    for key, many in right.items():
        both[key] = both.get(key, 0) + many
    return smallest(both, most)


def smallest(counts: Counts, most: int) -> Counts:
    """The `most` categories with the smallest hashes."""
    return counts if len(counts) <= most else {key: counts[key] for key in sorted(counts)[:most]}


def counts_in(state: MeasureState) -> Counts:
    """The counts of a state that holds them under `c`."""
    assert isinstance(state, Mapping)
    counts = state["c"]
    assert isinstance(counts, dict)
    return counts


def estimated(counts: Counts, most: int) -> float:
    """How many categories there are: exact below `most`, beyond it told by how closely the kept hashes lie.

    The unbiased estimator of Bar-Yossef et al. (RANDOM 2002): `most` less one, by the share of all hashes up to the
    largest kept one. Its standard error is one by the square root of `most` less two.
    """
    if len(counts) < most:
        return float(len(counts))
    return (most - 1) * _ALL / (int(max(counts)[:_DIGITS], 16) + 1)
