"""The app manifest asks for what the code uses, and for nothing else."""

import re
from pathlib import Path

import yaml

METHODS = {
    "chat:write": ("chat_postMessage", "chat_update", "chat_postEphemeral"),
    "chat:write.public": ("chat_postMessage",),
    "im:write": ("conversations_open",),
    "im:history": ("conversations_history", "conversations_replies"),
}
WITHOUT_SCOPE = {"auth_test"}
CALL = re.compile(r"\.((?:chat|conversations|users|usergroups|auth|views|reactions|files|pins)_\w+)\(")


def test_the_scopes_are_those_of_the_methods_that_are_called(repository: Path) -> None:
    manifest = yaml.safe_load((repository / "deploy" / "slack-app-manifest.yaml").read_text())
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == set(METHODS)
    source = "".join(
        path.read_text()
        for folder in ("channels", "adapters")
        for path in sorted((repository / "service" / "fireline" / folder).glob("slack*.py"))
    )
    known = {name for names in METHODS.values() for name in names} | WITHOUT_SCOPE
    assert set(CALL.findall(source)) <= known, "a method whose scope nobody asks for"
    for scope, methods in METHODS.items():
        assert any(f".{method}(" in source for method in methods), f"nothing needs {scope}"


def test_clicks_come_over_socket_mode_and_pages_can_be_received(repository: Path) -> None:
    manifest = yaml.safe_load((repository / "deploy" / "slack-app-manifest.yaml").read_text())
    assert manifest["settings"]["socket_mode_enabled"]
    assert manifest["settings"]["interactivity"]["is_enabled"]
    assert manifest["features"]["app_home"]["messages_tab_enabled"]
