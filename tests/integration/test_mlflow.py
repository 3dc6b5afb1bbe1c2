"""mlflow.* on a real MLflow server, its gateway before two models of one provider, over the way out of HTTP actions."""

import asyncio
import json
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web

from fireline.actions.mlflow import KINDS
from fireline.actions.mlflow_gateway import KINDS as OF_GATEWAY
from fireline.actions.schema import Ports
from fireline.adapters.database import open_store
from fireline.adapters.http import SafeFetch
from fireline.adapters.secrets import EnvironmentSecrets
from fireline.domain.outcomes import Done, Failed, Waiting
from fireline.engine.outward import StepContext
from tests.servers.mlflow import mlflow
from tests.servers.ports import free_port

__all__ = ["mlflow"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

GATEWAY = "/api/3.0/mlflow/gateway"
ASKED = {"messages": [{"role": "user", "content": "hello"}]}
TRIES = 6
"""How often a move is begun anew, when this machine is so slow that the server forgot in the meantime."""


async def post(server, path, body):
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.url}/api/2.0/mlflow/{path}", json=body) as answer,
    ):
        assert answer.status == 200, await answer.text()


async def test_an_alias_moves_and_comes_back(mlflow):
    await post(mlflow, "registered-models/create", {"name": "fraud eu"})
    for number in (1, 2, 3):
        await post(mlflow, "model-versions/create", {"name": "fraud eu", "source": f"s3://models/{number}"})
    fetch, store = SafeFetch(["localhost", "127.0.0.1"], EnvironmentSecrets(environment={})), open_store("sqlite://")
    ports = Ports(store, None, None, None, fetch)

    async def perform(name, **options):
        kind = KINDS[f"mlflow.{name}"]
        action = kind.build(ports)
        model = kind.options.model_validate({"url": mlflow.url, "model": "fraud eu", "alias": "champion", **options})
        given = StepContext(f"run-1.{name}", 1, name, None, 1000.0, {}, 1000.0)
        outcome = await action.perform(model, given)
        for _ in range(20):
            if not isinstance(outcome, Waiting):
                break
            given = replace(given, memory=json.loads(json.dumps(outcome.memory)), now=given.now + 1)
            outcome = await action.perform(model, given)
        return outcome

    try:
        assert (await perform("get_alias")).output["version"] is None, "MLflow answers 400 for an alias that is not set"
        first = await perform("set_alias", version="1")
        assert isinstance(first, Done), first
        assert first.output["before"] == {"version": None}
        await post(mlflow, "registered-models/alias", {"name": "fraud eu", "alias": "champion", "version": "3"})
        back = await perform("roll_back")
        assert isinstance(back, Done), back
        assert (back.output["version"], back.output["before"]) == ("1", {"version": "3"})
        assert (await perform("get_alias")).output["version"] == "1"
        refused = await perform("set_alias", version="9")
        assert isinstance(refused, Failed)
        assert "not found" in refused.reason
        unknown = await perform("get_alias", model="nobody")
        assert isinstance(unknown, Failed), "a model that is not there is no alias that is not set"
        assert isinstance(await perform("set_alias", version=None), Done)
        assert (await perform("get_alias")).output["version"] is None
    finally:
        await fetch.close()
        store.close()


@pytest.fixture
async def provider():
    """Where a provider of chats is that gives each model's answers a date, as they do."""

    async def completed(request):
        model = (await request.json())["model"]
        message = {"role": "assistant", "content": "hello"}
        return web.json_response(
            {
                "id": "chat-1",
                "object": "chat.completion",
                "created": 1,
                "model": f"{model}-2026-11-01",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            }
        )

    app = web.Application()
    app.router.add_post("/v1/chat/completions", completed)
    runner, port = web.AppRunner(app), free_port()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}/v1"
    await runner.cleanup()


@pytest.fixture
async def session():
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(600)) as made:
        yield made


async def sent(session, url, body):
    async with session.post(url, json=body) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def define(session, server, provider):
    """A secret, and models by name; the ids of their definitions."""
    secret = {"secret_name": "local", "secret_value": {"api_key": "k3y"}, "provider": "openai"}
    secret["auth_config"] = {"api_base": provider}
    made = await sent(session, f"{server.url}{GATEWAY}/secrets/create", secret)
    ids = {}
    for name in ("stable", "candidate", "spare"):
        body = {"name": name, "secret_id": made["secret"]["secret_id"], "provider": "openai", "model_name": f"m-{name}"}
        found = await sent(session, f"{server.url}{GATEWAY}/model-definitions/create", body)
        ids[name] = found["model_definition"]["model_definition_id"]
    return ids


async def offer(session, server, name, ids, **weights):
    """An endpoint that splits traffic among models, with a fallback."""
    split = [
        {"model_definition_id": ids[model], "linkage_type": "PRIMARY", "weight": w} for model, w in weights.items()
    ]
    spare = {"model_definition_id": ids["spare"], "linkage_type": "FALLBACK", "fallback_order": 0, "weight": 1.0}
    body = {
        "name": name,
        "model_configs": [*split, spare],
        "routing_strategy": "REQUEST_BASED_TRAFFIC_SPLIT",
        "fallback_config": {"strategy": "SEQUENTIAL", "max_attempts": 1},
        "usage_tracking": False,
    }
    return await sent(session, f"{server.url}{GATEWAY}/endpoints/create", body)


async def test_weights_move_when_the_server_has_forgotten_and_come_back(mlflow, provider, session):
    ids = await define(session, mlflow, provider)
    await offer(session, mlflow, "chat", ids, stable=0.0, candidate=1.0)
    await offer(session, mlflow, "nobody", ids, stable=0.0, candidate=0.0)
    fetch = SafeFetch(["localhost", "127.0.0.1"], EnvironmentSecrets(environment={}))
    invoked = f"{mlflow.url}/gateway/chat/mlflow/invocations"

    async def perform(name, between=None, **options):
        """The outcome, and what it waited for. `between` is done between reading what is there and changing it."""
        kind = OF_GATEWAY[f"mlflow.{name}"]
        action = kind.build(Ports(None, None, None, None, patient))
        model = kind.options.model_validate({"url": mlflow.url, "endpoint": "chat", **options})
        given, reasons = StepContext(f"run-1.{name}", 1, name, None, 1000.0, {}, 1000.0), []
        outcome = await action.perform(model, given)
        while isinstance(outcome, Waiting):
            if between is not None and not reasons:
                await between()
            reasons.append(outcome.reason)
            await asyncio.sleep(min(outcome.delay, 0.4))
            given = replace(given, memory=json.loads(json.dumps(outcome.memory)), now=given.now + outcome.delay)
            outcome = await action.perform(model, given)
        return outcome, reasons

    async def patient(request):
        return await fetch(replace(request, timeout=600.0))

    async def served():
        answer = await sent(session, invoked, ASKED)
        assert answer["model"] in ("m-stable-2026-11-01", "m-candidate-2026-11-01")

    observed = {"settles": "0s", "probe": {"answers": 3}, "within": "30m"}
    try:
        found, _ = await perform("get_weights")
        assert found.output["weights"] == {"stable": 0, "candidate": 100}
        assert found.output["splits"] is True
        there = {"stable": 100, "candidate": 0}
        for _ in range(TRIES):
            moved, _ = await perform("set_weights", to=there, **observed)
            assert isinstance(moved, Done), moved
            assert (moved.output["weights"], moved.output["answers"]) == (there, {"stable": 3})
            back, reasons = await perform("set_weights", served, to=moved.output["before"]["weights"], **observed)
            assert isinstance(back, Done), back
            assert (back.output["weights"], back.output["answers"]) == (found.output["weights"], {"candidate": 3})
            if any("stable still answers, whose share is 0" in reason for reason in reasons):
                break
        else:
            raise AssertionError("the server was never seen to route by the weights before")
        async with session.get(f"{mlflow.url}{GATEWAY}/endpoints/get?name=chat") as answer:
            kept = (await answer.json())["endpoint"]
        assert [m["linkage_type"] for m in kept["model_mappings"]].count("FALLBACK") == 1
        assert kept["fallback_config"] == {"strategy": "SEQUENTIAL", "max_attempts": 1}

        unknown, _ = await perform("set_weights", to={"stabel": 100})
        assert isinstance(unknown, Failed)
        assert "did you mean `stable`?" in unknown.reason
        absent, _ = await perform("get_weights", endpoint="not-there")
        assert isinstance(absent, Failed)
        nobody, _ = await perform("get_weights", endpoint="nobody")
        assert nobody.output["weights"] == {"stable": 0, "candidate": 0}
        async with session.post(invoked.replace("chat", "nobody"), json=ASKED) as answer:
            told = await answer.text()
            assert answer.status >= 400 or "m-spare" in told, "MLflow cannot choose where all weights are 0"
    finally:
        await fetch.close()
