"""Which rules an event belongs to."""

from hypothesis import given, settings
from hypothesis import strategies as st

from fireline.domain.events import Kind
from fireline.domain.rules import Match, Matcher, Measure
from fireline.engine.matching import index_rules, labels_of, streams_of
from fireline.measures import FAMILIES
from tests.engine.streams import equals, rule


def matched(rules, kind=Kind.METRIC, **fields):
    index = index_rules(rules, FAMILIES)[kind]
    return sorted(stream.rule.name for stream in index.match(labels_of(fields, index.names)))


def test_each_way_of_matching():
    rules = [
        rule(name="equal", where=(equals("env", "prod"),)),
        rule(name="any", where=(equals("env", "prod", "stage"),)),
        rule(name="not", where=(Matcher("env", Match.NONE_OF, ("prod",)),)),
        rule(name="regex", where=(Matcher("env", Match.REGEX, ("p.*",)),)),
        rule(name="not_regex", where=(Matcher("env", Match.NOT_REGEX, ("p.*",)),)),
        rule(name="absent", where=(equals("env", ""),)),
        rule(name="all", where=()),
    ]
    assert matched(rules, env="prod") == ["all", "any", "equal", "regex"]
    assert matched(rules, env="prod2") == ["all", "not", "regex"]
    assert matched(rules, env="xprod") == ["all", "not", "not_regex"]
    assert matched(rules) == ["absent", "all", "not", "not_regex"]


def test_numbers_and_truth_values_are_labels_as_json_writes_them():
    rules = [rule(name=f"v{value}", where=(equals("version", value),)) for value in ("14", "1.5", "true", "1")]
    assert matched(rules, version=14) == matched(rules, version=14.0) == matched(rules, version="14") == ["v14"]
    assert matched(rules, version=1.5) == ["v1.5"]
    assert matched(rules, version=True) == ["vtrue"]
    assert matched(rules, version=1) == ["v1"]


def test_a_dotted_label_reaches_into_features():
    assert matched([rule(where=(equals("features.tier", "gold"),))], features={"tier": "gold"}) == ["latency"]


def test_work_follows_the_rules_matched():
    asked = []

    class Counted(str):
        __slots__ = ()

        def __hash__(self):
            asked.append(str(self))
            return super().__hash__()

    rules = [rule(name=f"r{i}", where=(equals("name", f"m{i}"), equals("env", "prod"))) for i in range(1000)]
    index = index_rules(rules, FAMILIES)[Kind.METRIC]
    labels = {"name": Counted("m7"), "env": Counted("prod"), "service": ""}
    assert [stream.rule.name for stream in index.match(labels)] == ["r7"]
    assert len(asked) <= 4


def test_measures_may_read_other_streams_and_pairs_read_both():
    joined = rule(
        on=Kind.PREDICTION,
        where=(equals("model", "fraud"),),
        measures=(
            Measure("n", "count"),
            Measure("revenue", "sum", "value", on=Kind.METRIC, where=(equals("name", "revenue"),)),
            Measure("right", "agreement"),
        ),
    )
    streams = {(s.kind, s.partner): (s.measures, s.counts) for s in streams_of(joined, FAMILIES)}
    assert streams == {
        (Kind.PREDICTION, False): ((0, 2), True),
        (Kind.METRIC, False): ((1,), False),
        (Kind.FEEDBACK, True): ((2,), False),
    }
    assert matched([joined], Kind.FEEDBACK) == ["latency"], "what feedback does not say is no contradiction"
    assert matched([joined], Kind.FEEDBACK, model="other") == []


LABELS = st.fixed_dictionaries({}, optional={k: st.sampled_from(["x", "y", "xy"]) for k in ("name", "env", "region")})
MATCHERS = st.builds(
    Matcher,
    st.sampled_from(["name", "env", "region"]),
    st.sampled_from(Match),
    st.lists(st.sampled_from(["x", "y", "x.*", ""]), min_size=1, max_size=2).map(tuple),
)


@settings(max_examples=200)
@given(st.lists(st.lists(MATCHERS, max_size=3).map(tuple), min_size=1, max_size=6), LABELS)
def test_the_index_finds_what_trying_every_rule_finds(wheres, labels):
    rules = [rule(name=f"r{i}", where=where) for i, where in enumerate(wheres)]
    full = {name: labels.get(name, "") for name in ("name", "env", "region", "service")}
    tried = [r.name for r in rules if streams_of(r, FAMILIES)[0].accepts(full)]
    assert matched(rules, **labels) == sorted(tried)
