import os

import pytest

from fireline.apps.settings import Settings, SettingsFault, load_settings


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    for name in list(os.environ):
        if name.startswith("FIRELINE_"):
            monkeypatch.delenv(name)


def faults(**given):
    with pytest.raises(SettingsFault) as caught:
        load_settings(**given)
    return {fault.variable: fault for fault in caught.value.faults}, str(caught.value)


def test_defaults_run_without_any_variable():
    settings = load_settings()
    assert settings.database == "sqlite:///.fireline/fireline.db"
    assert settings.kafka is None
    assert settings.web_host == "127.0.0.1"
    assert settings.web_port == 8321
    assert settings.topics["fireline.predictions"] == "native"


def test_variables_are_read_with_lists_and_mappings(monkeypatch):
    monkeypatch.setenv("FIRELINE_KAFKA", "k1:9092, k2:9092")
    monkeypatch.setenv("FIRELINE_HTTP_ALLOW", "api.example, hooks.example")
    monkeypatch.setenv("FIRELINE_TOPICS", "other.metrics = native, fireline.metrics=native")
    monkeypatch.setenv("FIRELINE_LOG_LEVEL", "WARNING")
    monkeypatch.setenv("FIRELINE_SLACK_BOT_TOKEN", "")
    settings = load_settings()
    assert settings.kafka == "k1:9092,k2:9092"
    assert settings.http_allow == ("api.example", "hooks.example")
    assert settings.topics == {"other.metrics": "native", "fireline.metrics": "native"}
    assert settings.log_level == "warning"
    assert settings.slack_bot_token is None


@pytest.mark.parametrize(
    "entry", ["https://a.example", "a.example:8080", "a.example/", "*", "*a.example", "a b", "[a]"]
)
def test_what_would_never_match_a_host_is_no_entry_of_the_allow_list(monkeypatch, entry):
    monkeypatch.setenv("FIRELINE_HTTP_ALLOW", f"b.example,{entry}")
    found, _ = faults()
    assert "without scheme" in found["FIRELINE_HTTP_ALLOW"].expected


def test_a_postgres_url_gets_its_driver():
    assert load_settings(database="postgres://u@h/db").database == "postgresql+psycopg://u@h/db"


def test_all_faults_are_told_at_once_with_variable_found_expected_and_hint(monkeypatch):
    monkeypatch.setenv("FIRELINE_WEB_PORT", "eighty")
    monkeypatch.setenv("FIRELINE_KAFKA", "nowhere")
    monkeypatch.setenv("FIRELINE_DATABSE", "sqlite:///x")
    found, text = faults()
    assert set(found) == {"FIRELINE_WEB_PORT", "FIRELINE_KAFKA", "FIRELINE_DATABSE"}
    assert "'eighty'" in found["FIRELINE_WEB_PORT"].found
    assert "integer" in found["FIRELINE_WEB_PORT"].expected
    assert "host:port" in found["FIRELINE_KAFKA"].expected
    assert "FIRELINE_DATABASE" in found["FIRELINE_DATABSE"].hint
    assert text.count("hint:") == 3
    assert "Traceback" not in text


def test_variables_of_others_are_left_alone(monkeypatch):
    monkeypatch.setenv("FIRELINE_MY_PLUGIN_URL", "x")
    load_settings()


@pytest.mark.parametrize(
    ("given", "variable"),
    [
        ({"web_host": "0.0.0.0"}, "FIRELINE_API_TOKEN"),
        ({"kafka_protocol": "SASL_SSL"}, "FIRELINE_KAFKA_PROTOCOL"),
        ({"slack_app_token": "xapp-1"}, "FIRELINE_SLACK_BOT_TOKEN"),
        ({"topics": "fireline.metrics"}, "FIRELINE_TOPICS"),
        ({"topics": "fireline.metrics=xml"}, "FIRELINE_TOPICS"),
        ({"topics": "fireline.partials=native"}, "FIRELINE_TOPICS"),
        ({"topics": "no topic=native"}, "FIRELINE_TOPICS"),
        ({"database": "postgresql://u:p@host:port/db"}, "FIRELINE_DATABASE"),
        ({"database": "postgresql://u:p@host:1:2/db"}, "FIRELINE_DATABASE"),
        ({"database": "sqlite://fireline.db"}, "FIRELINE_DATABASE"),
        ({"kafka_ssl_ca": "/no/such/file"}, "FIRELINE_KAFKA_SSL_CA"),
        ({"slack_base_url": "ftp://x"}, "FIRELINE_SLACK_BASE_URL"),
    ],
)
def test_what_cannot_work_is_refused(given, variable):
    found, _ = faults(**given)
    assert list(found) == [variable]


def test_secrets_are_never_shown():
    _, text = faults(database="mysql://root:hunter2@db/x")
    assert "hunter2" not in text
    settings = Settings(api_token="hunter2")
    assert "hunter2" not in repr(settings)
    assert settings.secrets() == ("hunter2",)


@pytest.mark.parametrize(
    ("url", "password"),
    [
        ("postgresql://u:can4ry@db:5432/x", "can4ry"),
        ("postgresql://u:can4ry@db/x", "can4ry"),
        ("postgresql://u:can/4ry@db/x", "can/4ry"),
        ("postgresql://u:can%404ry@[::1]:5432/x", "can@4ry"),
        ("postgresql://u:can%404ry@db/x", "can%404ry"),
        ("postgresql://db/x?user=u&password=can4ry", "can4ry"),
        ("postgresql://fireline:fireline@db/fireline", ":fireline@"),
    ],
)
def test_the_password_of_the_database_is_a_secret(url, password):
    assert password in load_settings(database=url).secrets()


@pytest.mark.parametrize("url", ["sqlite:///a@b.db", "postgresql://u@db:1/x", "postgresql://db/x?a=b@c", "sqlite://"])
def test_a_database_without_a_password_has_no_secret(url):
    assert load_settings(database=url).secrets() == ()


def test_secrets_of_runbooks_are_secrets_of_logs(monkeypatch):
    monkeypatch.setenv("FIRELINE_SECRET_DEPLOY", "can4ry")
    assert load_settings().secrets() == ("can4ry",)
