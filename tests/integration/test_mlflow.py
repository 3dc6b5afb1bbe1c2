"""mlflow.* on a real MLflow server, over the way out that every HTTP action takes."""

import json
from dataclasses import replace

import aiohttp
import pytest

from fireline.actions.mlflow import KINDS
from fireline.actions.schema import Ports
from fireline.adapters.database import open_store
from fireline.adapters.http import SafeFetch
from fireline.adapters.secrets import EnvironmentSecrets
from fireline.domain.outcomes import Done, Failed, Waiting
from fireline.engine.outward import StepContext
from tests.servers.mlflow import mlflow

__all__ = ["mlflow"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


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
