"""The page of the reference about dead letters: every reason, what it means, what to do."""

from fireline.apps.dead_letter_reasons import REASONS
from fireline.apps.reference_pages import page
from fireline.apps.reference_tables import table

_INTRO = """\
A record that is no event, or whose event came at the wrong time, goes to the topic `fireline.dead-letter` as it came,
with headers that say why: `fireline-reason` (a code below), `fireline-detail` (for a person), `fireline-topic`,
`fireline-partition`, `fireline-offset` and `fireline-timestamp` (where it was, and its time in Kafka), and
`fireline-truncated` when only its beginning fit. What to do with them: [dead letters](../how-to/dead-letters.md)."""

_EXAMPLE = "```console\n$ fireline dead-letter show fireline.metrics/2@1234\n```"

_MARKS = """\
## Marks

`fireline dead-letter replay` writes what it does on the same topic, partition 0, as records with the key
`fireline-replay` and the header `fireline-mark`: `begun` before records are sent (their ids, and where each partition
they go to ended), `done` after (where each arrived). A replayed record carries the header `fireline-replayed` with the
place of its dead letter and that id. Programs of your own that read the topic leave out records with `fireline-mark`
as the last header."""


def dead_letters_page() -> str:
    """Every reason."""
    rows = [(f"`{code}`", words.means, words.remedy, words.mend) for code, words in REASONS.items()]
    head = ("reason", "it means", "what to do at the sender", "to mend what is there")
    return page("Dead letters", _INTRO, _EXAMPLE, table(head, rows), _MARKS)
