"""flags.*: against a server that keeps flags behind each of the APIs."""

import json
from dataclasses import replace

import pytest
from aiohttp.test_utils import TestServer

from fireline.actions.flags import BACKENDS, KINDS
from fireline.actions.schema import Ports
from fireline.adapters.http import SafeFetch
from fireline.adapters.secrets import EnvironmentSecrets
from fireline.domain.outcomes import Done, Failed, Waiting
from fireline.engine.outward import StepContext
from tests.servers.flags import Flags

TOKEN = "canary-of-the-flags"
AUTH = {"header": {"name": "Authorization", "value": "secret:FLAGS"}}


@pytest.fixture
async def flags():
    made = Flags({"new-ranker": True, "limit": 5, "a": False}, token=TOKEN)
    async with TestServer(made.app()) as server:
        made.url = f"http://{server.host}:{server.port}/"
        yield made


@pytest.fixture
async def fetch():
    made = SafeFetch(["127.0.0.1"], EnvironmentSecrets(environment={"FIRELINE_SECRET_FLAGS": TOKEN}))
    yield made
    await made.close()


def context(step="act", **more):
    return StepContext(f"run-1.{step}", 1, step, None, 1000.0, {}, 1000.0, written={"auth": AUTH}, **more)


async def perform(flags, fetch, name, given=None, looks=40, stop=lambda _: False, **options):
    kind = KINDS[f"flags.{name}"]
    action = kind.build(Ports(None, None, None, None, fetch))
    model = kind.options.model_validate({"url": flags.url, "flag": "new-ranker", "auth": AUTH, **options})
    given = given or context()
    outcome = await action.perform(model, given)
    while isinstance(outcome, Waiting) and looks and not stop(outcome):
        looks -= 1
        given = replace(given, memory=json.loads(json.dumps(outcome.memory)), now=given.now + max(outcome.delay, 0.01))
        outcome = await action.perform(model, given)
    assert TOKEN not in str(outcome)
    return outcome


@pytest.mark.parametrize("backend", sorted(BACKENDS))
async def test_a_flag_is_set_and_set_back(flags, fetch, backend):
    read = await perform(flags, fetch, "get", backend=backend)
    assert isinstance(read, Done), read
    assert read.output["value"] is True
    done = await perform(flags, fetch, "set", backend=backend, value=False)
    assert isinstance(done, Done), done
    assert flags.values == {"new-ranker": False, "limit": 5, "a": False}
    assert done.output["before"] == {"value": True}
    back = await perform(flags, fetch, "set", context("act.undo"), backend=backend, **done.output["before"])
    assert isinstance(back, Done)
    assert flags.values["new-ranker"] is True
    assert flags.writes == [("new-ranker", False), ("new-ranker", True)]


@pytest.mark.parametrize("backend", sorted(BACKENDS))
async def test_a_flag_that_is_not_there_is_told(flags, fetch, backend):
    outcome = await perform(flags, fetch, "set", backend=backend, flag="nobody/knows", value=True)
    assert isinstance(outcome, Failed)
    assert flags.writes == []


@pytest.mark.parametrize("backend", ["unleash", "launchdarkly", "flagsmith"])
async def test_what_is_no_switch_is_refused_where_only_switches_are(flags, fetch, backend):
    outcome = await perform(flags, fetch, "set", backend=backend, value=3)
    assert isinstance(outcome, Failed)
    assert "sets flags on and off, found 3: true or false" in outcome.reason


async def test_numbers_are_told_from_switches(flags, fetch):
    flags.values["limit"] = 1
    done = await perform(flags, fetch, "set", backend="http", flag="limit", value=True)
    assert isinstance(done, Done)
    assert flags.writes == [("limit", True)]


async def test_it_waits_until_it_is_read_back_and_no_longer_than_it_may(flags, fetch):
    flags.slow = 5
    assert isinstance(await perform(flags, fetch, "set", backend="unleash", value=False), Done)
    sent = await perform(flags, fetch, "set", stop=lambda o: "applied" in o.memory, backend="unleash", value=True)
    flags.seen, flags.slow = {**flags.values, "new-ranker": False}, 10**6
    given = replace(context(), memory=sent.memory)
    outcome = await perform(flags, fetch, "set", given, backend="unleash", value=True, within="3s")
    assert isinstance(outcome, Failed)
    assert "not observed within 3 s" in outcome.reason
    assert outcome.output["before"] == {"value": False}


async def test_a_repetition_after_a_crash_writes_once(flags, fetch):
    read = await perform(flags, fetch, "set", stop=lambda o: "before" in o.memory, backend="unleash", value=False)
    for _ in range(2):
        given = replace(context(), memory=read.memory)
        again = await perform(flags, fetch, "set", given, backend="unleash", value=False)
        assert again.output["before"] == {"value": True}
    assert flags.writes == [("new-ranker", False)]


async def test_what_somebody_else_sets_meanwhile_is_left_alone(flags, fetch):
    given = {"backend": "http", "flag": "limit", "value": 9}
    read = await perform(flags, fetch, "set", stop=lambda o: "before" in o.memory, **given)
    flags.values["limit"] = 7
    outcome = await perform(flags, fetch, "set", replace(context(), memory=read.memory), **given)
    assert isinstance(outcome, Failed)
    assert "somebody else set limit to 7 meanwhile" in outcome.reason


async def test_who_asks_is_only_filled_in_where_the_author_wrote_it(flags, fetch):
    outcome = await perform(flags, fetch, "get", replace(context(), written={}), backend="http")
    assert isinstance(outcome, Failed)
    assert "what is filled in by data is not sent" in outcome.reason
