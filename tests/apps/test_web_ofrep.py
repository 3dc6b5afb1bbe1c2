import json

import pytest

from tests.servers.live_web import live_web

ONE = "/ofrep/v1/evaluate/flags/fraud-scoring"
ALL = "/ofrep/v1/evaluate/flags"


@pytest.fixture
def web(tmp_path):
    with live_web(tmp_path) as running:
        yield running


def target(web, path=ONE, key="u1"):
    return web.request("POST", path, {"context": {"targetingKey": key}})


def test_an_unchanged_service_is_on_its_primary(web):
    status, _, answer = web.request("POST", ONE)
    assert status == 200
    assert (answer["key"], answer["value"], answer["variant"], answer["reason"]) == (
        "fraud-scoring",
        "primary",
        "primary",
        "STATIC",
    )
    assert answer["metadata"]["version"] == 0


def test_a_change_is_followed_within_a_moment_and_says_who_why_and_until_when(web):
    route = web.move(fallback=100)
    web.eventually(lambda: target(web)[2]["value"] == "fallback", 30.0)
    metadata = target(web)[2]["metadata"]
    assert metadata["by"] == "run:1"
    assert metadata["why"] == "p99 is too high"
    assert metadata["lease_until"] == route.lease.until
    assert metadata["fallback"] is True
    assert all(isinstance(value, bool | str | int | float) for value in metadata.values())


def test_a_split_needs_a_targeting_key_and_keeps_to_it(web):
    web.move(primary=40, fallback=60)
    web.eventually(lambda: target(web)[2]["reason"] == "SPLIT")
    status, _, answer = web.request("POST", ONE, {"context": {}})
    assert (status, answer["errorCode"]) == (400, "TARGETING_KEY_MISSING")
    seen = {key: {target(web, key=key)[2]["value"] for _ in range(3)} for key in map(str, range(20))}
    assert all(len(values) == 1 for values in seen.values())
    assert set.union(*seen.values()) == {"primary", "fallback"}


def test_the_weights_are_a_flag_of_their_own(web):
    web.move(primary=40, fallback=60)
    web.eventually(lambda: web.request("POST", ONE + ".weights")[2]["value"] == {"primary": 40, "fallback": 60})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "PARSE_ERROR"),
        (b"\xff\xfe", "PARSE_ERROR"),
        (b"[" * 20_000, "PARSE_ERROR"),
        (b"[]", "PARSE_ERROR"),
        (b'{"context": 3}', "INVALID_CONTEXT"),
        (b'{"context": {"targetingKey": 3}}', "INVALID_CONTEXT"),
    ],
)
@pytest.mark.parametrize("path", [ONE, ALL])
def test_bad_bodies_are_answered_in_the_words_of_the_protocol(web, path, body, code):
    status, _, answer = web.request("POST", path, body)
    assert status == 400
    assert answer["errorCode"] == code
    assert answer["errorDetails"]
    assert answer.get("key") == ("fraud-scoring" if path == ONE else None)


@pytest.mark.parametrize("flag", ["nothing", "nothing.weights", "a/b", "%00", "x" * 500])
def test_an_unknown_flag_is_not_found(web, flag):
    status, _, answer = web.request("POST", f"{ALL}/{flag}")
    assert (status, answer["errorCode"]) == (404, "FLAG_NOT_FOUND")


def test_all_flags_at_once_with_a_tag_that_saves_the_rest(web):
    status, headers, answer = target(web, ALL)
    flags = {flag["key"]: flag for flag in answer["flags"]}
    assert status == 200
    assert set(flags) == {"fraud-scoring", "fraud-scoring.weights", "ranking", "ranking.weights"}
    again = {"If-None-Match": headers["etag"]}
    body = {"context": {"targetingKey": "u1"}}
    status, _, nothing = web.request("POST", ALL, body, again)
    assert (status, nothing) == (304, "")
    web.move(fallback=100)
    web.eventually(lambda: web.request("POST", ALL, body, again)[0] == 200)


def test_in_a_bulk_answer_only_the_split_flag_fails_without_a_key(web):
    web.move(primary=40, fallback=60)
    web.eventually(lambda: "errorCode" in json.dumps(web.request("POST", ALL)[2]))
    flags = {flag["key"]: flag for flag in web.request("POST", ALL)[2]["flags"]}
    assert flags["fraud-scoring"]["errorCode"] == "TARGETING_KEY_MISSING"
    assert flags["fraud-scoring.weights"]["value"] == {"primary": 40, "fallback": 60}
    assert flags["ranking"]["value"] == "primary"


def test_too_many_requests_are_told_when_to_come_back(tmp_path):
    with live_web(tmp_path, per_second=0.5, burst=3) as web:
        answers = [web.request("POST", ONE) for _ in range(4)]
    assert [status for status, _, _ in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1][1]["retry-after"]) <= 3
