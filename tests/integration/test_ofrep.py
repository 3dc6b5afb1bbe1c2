"""Routes are followed by the public OpenFeature client, which is not ours, against a served web role."""

import pytest
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

from tests.servers.live_web import live_web


@pytest.fixture
def web(tmp_path):
    with live_web(tmp_path) as running:
        yield running


@pytest.fixture
def client(web):
    provider = OFREPProvider(web.url, timeout=120.0)
    api.set_provider(provider, "gateway")
    yield api.get_client("gateway")
    api.clear_providers()
    provider.session.close()


def details(client, key="u1", flag="fraud-scoring"):
    return client.get_string_details(flag, "the default", EvaluationContext(targeting_key=key))


def test_a_gateway_follows_a_fallback_and_the_way_back(web, client):
    assert details(client).value == "primary"
    assert details(client).reason == Reason.STATIC
    web.move(fallback=100)
    web.eventually(lambda: details(client).value == "fallback")
    assert details(client).flag_metadata["by"] == "run:1"
    web.move(version=2, lease=False, primary=100)
    web.eventually(lambda: details(client).value == "primary")


def test_a_split_is_stable_for_each_caller(web, client):
    web.move(primary=50, fallback=50)
    web.eventually(lambda: details(client).reason == Reason.SPLIT)
    first = {str(i): details(client, str(i)).variant for i in range(40)}
    assert set(first.values()) == {"primary", "fallback"}
    assert first == {str(i): details(client, str(i)).variant for i in range(40)}


def test_weights_come_as_an_object(web, client):
    web.move(primary=50, fallback=50)
    web.eventually(
        lambda: client.get_object_value("fraud-scoring.weights", {}) == {"primary": 50, "fallback": 50},
    )


def test_faults_reach_the_client_as_its_own_codes(web, client):
    unknown = details(client, flag="nothing")
    assert (unknown.value, unknown.error_code) == ("the default", ErrorCode.FLAG_NOT_FOUND)
    web.move(primary=50, fallback=50)
    web.eventually(lambda: details(client).reason == Reason.SPLIT)
    nobody = client.get_string_details("fraud-scoring", "the default", EvaluationContext())
    assert nobody.error_code == ErrorCode.TARGETING_KEY_MISSING
    wrong = client.get_boolean_details("fraud-scoring", True, EvaluationContext(targeting_key="u1"))
    assert (wrong.value, wrong.error_code) == (True, ErrorCode.TYPE_MISMATCH)


def test_a_client_is_paused_when_it_asks_too_often(tmp_path):
    with live_web(tmp_path, per_second=0.001, burst=1) as web:
        provider = OFREPProvider(web.url, timeout=120.0)
        api.set_provider(provider, "eager")
        eager = api.get_client("eager")
        assert details(eager).value == "primary"
        assert details(eager).error_code == ErrorCode.GENERAL
        assert provider.retry_after is not None
        api.clear_providers()
        provider.session.close()
