"""Entries are written on a short way; it says what the long way says, whatever the act and wherever a secret is."""

from enum import StrEnum

from hypothesis import example, given, settings
from hypothesis import strategies as st

from fireline.domain.audit import Act, Blots, body_of, canonical
from fireline.domain.incidents import Attempt

SECRETS = ("xoxb-1", 'to"p', "sé😀", "12", "a\\b")


class Level(StrEnum):
    HIGH = "high"


texts = st.one_of(st.sampled_from([f"with {secret} in it" for secret in SECRETS]), st.text(max_size=5))
leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts, st.just(Level.HIGH))
values = st.recursive(
    leaves,
    lambda parts: st.one_of(
        st.lists(parts, max_size=3),
        st.lists(parts, max_size=3).map(tuple),
        st.dictionaries(texts, parts, max_size=3),
        st.builds(Attempt, texts, texts, texts, st.floats(), texts),
        st.frozensets(texts, max_size=3),
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(texts, values, max_size=3), values, texts, st.booleans())
@example({"x": float("nan")}, None, "", True)
@example({}, {12: "twelve"}, "", False)
def test_both_ways_say_the_same(before, after, text, with_lines):
    act = Act(1.5, text, "api", "note", "INC-1", text, before, {"after": after})
    lines = {"1/2": "ab"} if with_lines else {}

    for secrets in ((), SECRETS):
        blots = Blots(secrets)
        long = blots.out_of(body_of(act, lines))

        said, written = blots.written(act, lines)

        assert written == canonical(long)
        assert (said["at"], said["actor"], said["subject"]) == (long["at"], long["actor"], long["subject"])
