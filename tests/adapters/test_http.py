"""Outgoing HTTP: only where it may go, never further, never with a secret coming back."""

import asyncio
import socket
import threading
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from fireline.adapters.http import AllowList, SafeFetch
from fireline.adapters.secrets import EnvironmentSecrets
from fireline.engine.outgoing import MaybeSent, NotSent, Request, Response

SECRET = "s3cr3t-v4lue"
SECRETS = EnvironmentSecrets(environment={"FIRELINE_SECRET_TOKEN": SECRET})
AUTHORIZATION = frozenset({"Authorization"})


@asynccontextmanager
async def server():
    seen = []

    async def echo(request):
        seen.append((dict(request.headers), await request.text()))
        return web.Response(text=f"you said {request.headers.get('Authorization')}", headers={"X-Echo": SECRET})

    async def slow(_):
        await asyncio.sleep(30)

    async def large(_):
        return web.Response(text="x" * 1_000_000)

    async def elsewhere(_):
        raise web.HTTPFound("http://169.254.169.254/latest/meta-data")

    app = web.Application()
    app.router.add_route("*", "/echo", echo)
    app.router.add_get("/slow", slow)
    app.router.add_get("/large", large)
    app.router.add_get("/elsewhere", elsewhere)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1], seen
    await runner.cleanup()


@asynccontextmanager
async def fetching(*allow):
    fetch = SafeFetch(allow, SECRETS)
    yield fetch
    await fetch.close()


async def test_a_secret_goes_out_and_does_not_come_back():
    async with server() as (port, seen), fetching("127.0.0.1") as fetch:
        headers = {"Authorization": "Bearer secret:TOKEN"}
        answer = await fetch(
            Request("POST", f"http://127.0.0.1:{port}/echo", headers, {"a": 1}, secret_headers=AUTHORIZATION)
        )
    assert isinstance(answer, Response)
    assert seen[0][0]["Authorization"] == f"Bearer {SECRET}"
    assert seen[0][1] == '{"a": 1}'
    assert answer.text == "you said Bearer [secret:TOKEN]"
    assert SECRET not in str(answer)


async def test_the_name_of_a_secret_stays_a_text_where_nobody_wrote_it():
    async with server() as (port, seen), fetching("127.0.0.1") as fetch:
        headers = {"Authorization": "Bearer secret:TOKEN", "X-Title": "an event says secret:TOKEN"}
        url = f"http://127.0.0.1:{port}/echo?q=secret:TOKEN"
        await fetch(Request("POST", url, headers, {"a": "secret:TOKEN"}, secret_headers=AUTHORIZATION))
        await fetch(Request("GET", url, {"Authorization": "secret:TOKEN"}))
    assert seen[0][0]["Authorization"] == f"Bearer {SECRET}"
    assert seen[0][0]["X-Title"] == "an event says secret:TOKEN"
    assert SECRET not in seen[0][1]
    assert seen[1][0]["Authorization"] == "secret:TOKEN"


async def test_a_secret_that_is_not_there_sends_nothing():
    async with server() as (port, seen), fetching("127.0.0.1") as fetch:
        answer = await fetch(
            Request("GET", f"http://127.0.0.1:{port}/echo", {"A": "secret:NOBODY"}, secret_headers=frozenset("A"))
        )
    assert answer == NotSent("there is no secret NOBODY", final=True)
    assert seen == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/echo",
        "http://localhost:{port}/echo",
        "http://[::ffff:127.0.0.1]:{port}/echo",
        "http://0.0.0.0:{port}/echo",
        "http://user:secret@api.example/",
        "gopher://api.example/",
        "http:///nowhere",
        "http://[broken",
    ],
)
async def test_what_is_not_on_the_list_is_not_reached(url):
    async with server() as (port, seen), fetching("api.example") as fetch:
        answer = await fetch(Request("GET", url.format(port=port)))
    assert isinstance(answer, NotSent)
    assert answer.final
    assert seen == []


async def test_a_listed_name_that_resolves_to_a_private_address_is_refused_at_the_connection(monkeypatch):
    async with server() as (port, seen), fetching("api.example", "rebound.example") as fetch:

        def rebound(*_, **__):
            return [(2, 1, 6, "", ("127.0.0.1", port))]

        monkeypatch.setattr(socket, "getaddrinfo", rebound)
        answer = await fetch(Request("GET", f"http://rebound.example:{port}/echo"))
    assert isinstance(answer, NotSent)
    assert answer.final
    assert "127.0.0.1 is not a public address" in answer.reason
    assert seen == []


async def test_names_that_are_looked_up_in_vain_take_no_thread_of_others(monkeypatch):
    over = threading.Event()

    def hangs(*_, **__):
        over.wait(240)
        raise OSError("no answer")

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    async with fetching("*.example") as fetch:
        asked = [asyncio.create_task(fetch(Request("GET", f"http://n{n}.example/", timeout=240.0))) for n in range(40)]
        try:
            async with asyncio.timeout(120):
                await asyncio.gather(*(asyncio.to_thread(int) for _ in range(100)))
        finally:
            over.set()
        answers = await asyncio.gather(*asked)
    assert all(isinstance(answer, NotSent) for answer in answers)


async def test_a_redirect_is_an_answer_not_a_way():
    async with server() as (port, _), fetching("127.0.0.1") as fetch:
        answer = await fetch(Request("GET", f"http://127.0.0.1:{port}/elsewhere"))
    assert isinstance(answer, Response)
    assert answer.status == 302


async def test_an_answer_is_cut_and_a_slow_one_is_given_up():
    async with server() as (port, _), fetching("127.0.0.1") as fetch:
        large = await fetch(Request("GET", f"http://127.0.0.1:{port}/large", max_bytes=1000))
        slow = await fetch(Request("GET", f"http://127.0.0.1:{port}/slow", timeout=1.0))
    assert isinstance(large, Response)
    assert len(large.text) == 1000
    assert isinstance(slow, MaybeSent)


async def test_nobody_at_the_door_is_surely_not_sent():
    async with server() as (port, _):
        pass
    async with fetching("127.0.0.1") as fetch:
        answer = await fetch(Request("GET", f"http://127.0.0.1:{port}/echo"))
    assert isinstance(answer, NotSent)
    assert not answer.final


async def test_what_cannot_be_sent_is_no_exception():
    async with fetching("127.0.0.1") as fetch:
        answer = await fetch(Request("POST", "http://127.0.0.1:9/", {"A": "b\r\nC: d"}, json={"a": object()}))
    assert isinstance(answer, NotSent)


@pytest.mark.parametrize(
    "header", ["Content-Length", "transfer-encoding", "Host", "Connection", "A B", "A:B", "", "A\r\nB", "Upgrade"]
)
async def test_no_header_says_where_a_request_ends_or_goes(header):
    async with fetching("127.0.0.1") as fetch:
        answer = await fetch(Request("POST", "http://127.0.0.1:9/", {header: "3"}, json={"a": 1}))
    assert isinstance(answer, NotSent)
    assert answer.final


@pytest.mark.parametrize("listed", ["bücher.example", "xn--bcher-kva.example", "BÜCHER.example."])
@pytest.mark.parametrize("asked", ["bücher.example", "xn--bcher-kva.example", "Bücher.Example."])
def test_both_ways_of_writing_a_name_are_one(listed, asked):
    assert AllowList.of([listed]).against_host(asked) is None
    assert AllowList.of([f"*.{listed}"]).against_host(f"a.{asked}") is None
    assert AllowList.of([f"*.{listed}"]).against_host(asked)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("api.example", True),
        ("API.example.", True),
        ("deep.api.example", False),
        ("a.wild.example", True),
        ("a.b.wild.example", True),
        ("wild.example", False),
        ("evilwild.example", False),
        ("10.1.2.3", True),
        ("10.2.0.1", False),
        ("8.8.8.8", False),
    ],
)
def test_the_list_knows_names_wildcards_and_networks(host, allowed):
    listed = AllowList.of(["api.example", "*.wild.example", "10.1.0.0/16"])
    assert (listed.against_host(host) is None) == allowed


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.2.0.1", "169.254.169.254", "::1", "fe80::1%eth0", "0.0.0.0", "224.0.0.1", "x"]
)
def test_addresses_that_are_not_public_are_refused(address):
    assert AllowList.of(["api.example"]).against_address(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111"])
def test_public_addresses_are_fine(address):
    assert AllowList.of(["api.example"]).against_address(address) is None


def test_localhost_stands_for_its_addresses():
    listed = AllowList.of(["localhost"])
    assert listed.against_host("localhost") is None
    assert listed.against_address("127.0.0.1") is None


def test_secrets_come_from_the_environment_or_a_directory(tmp_path):
    (tmp_path / "DEPLOY").write_text("from-a-file\n")
    found = EnvironmentSecrets(tmp_path, {"FIRELINE_SECRET_TOKEN": SECRET})
    assert found.secret("TOKEN") == SECRET
    assert found.secret("DEPLOY") == "from-a-file"
    assert found.secret("../DEPLOY") is None
    assert found.secret("ABSENT") is None
