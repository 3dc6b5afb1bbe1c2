"""What a step asks for over HTTP reaches no address that is not on the list, however it is written or led to."""

import socket
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from fireline.adapters.http import AllowList, SafeFetch
from fireline.adapters.secrets import EnvironmentSecrets
from fireline.engine.outgoing import NotSent, Request, Response

NOBODY = EnvironmentSecrets(environment={})


@asynccontextmanager
async def server():
    """Listens on all addresses of the machine, so that whatever gets through is seen."""
    seen = []

    async def anything(request):
        seen.append(str(request.url))
        answer = web.Response(text="got in")
        answer.force_close()  # each request is a connection of its own
        return answer

    async def led(request):
        seen.append("redirect")
        raise web.HTTPFound(request.query["to"])

    app = web.Application()
    app.router.add_get("/led", led)
    app.router.add_route("*", "/{any:.*}", anything)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", 0).start()
    try:
        yield runner.addresses[0][1], seen
    finally:
        await runner.cleanup()


@asynccontextmanager
async def fetching(*allow):
    fetch = SafeFetch(allow, NOBODY)
    try:
        yield fetch
    finally:
        await fetch.close()


SPELLINGS = [
    "http://127.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0x0.0x0.0x1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://017700000001:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://[::]:{port}/",
    "http://[::1]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[fe80::1%25lo]:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST.:{port}/",
    "http://localhost.localdomain:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/",
    "http://127%2e0%2e0%2e1:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/latest/meta-data/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://api.example@127.0.0.1:{port}/",
    "http://api.example:80@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@api.example/",
    "http://127.0.0.1:{port}?@api.example/",
    "http://127.0.0.1:{port}\\@api.example/",
    "http://api.example%00.127.0.0.1:{port}/",
    "http://api.example.127.0.0.1.nip.io:{port}/",
    "http://evil-api.example:{port}/",
    "http:127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_GET",
    "ftp://127.0.0.1:{port}/",
    "dict://127.0.0.1:{port}/",
    "unix:///var/run/docker.sock",
    "data:text/plain,hello",
    "ws://api.example:{port}/",
    "//127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\r\nHost: api.example\r\n\r\n/",
    "http://[::ffff:127.0.0.1",
    "http://api.example:99999/",
]


@pytest.mark.parametrize("url", SPELLINGS)
async def test_no_spelling_reaches_an_address_that_is_not_listed(url):
    async with server() as (port, seen), fetching("api.example") as fetch:
        answer = await fetch(Request("GET", url.format(port=port), timeout=120))
    assert isinstance(answer, NotSent), answer
    assert answer.final
    assert seen == []


PRIVATE = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
    "2606:4700::5efe:a9fe:a9fe",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", PRIVATE)
async def test_no_listed_name_leads_to_an_address_inside(address, monkeypatch):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found = [(family, socket.SOCK_STREAM, 6, "", (address, 80))]
    async with server() as (port, seen), fetching("api.example", "*.wild.example") as fetch:
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        for name in ("api.example", "deep.wild.example"):
            answer = await fetch(Request("GET", f"http://{name}:{port}/", timeout=120))
            assert isinstance(answer, NotSent), answer
            assert answer.final
            assert "is not a public address" in answer.reason
    assert seen == []


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:4700::6810:84e5", "64:ff9b::5db8:d70e"])
def test_public_addresses_may_be_reached(address):
    assert AllowList.of(["api.example"]).against_address(address) is None


def test_an_address_that_is_listed_may_be_reached_by_its_names():
    listed = AllowList.of(["api.example", "10.1.0.0/16"])
    assert listed.against_address("10.1.2.3") is None
    assert listed.against_address("::ffff:10.1.2.3") is None
    assert listed.against_address("10.2.0.1")


async def test_a_name_with_one_address_outside_and_one_inside_is_refused(monkeypatch):
    both = [(2, 1, 6, "", ("93.184.215.14", 80)), (2, 1, 6, "", ("127.0.0.1", 80))]
    async with fetching("api.example") as fetch:
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
        answer = await fetch(Request("GET", "http://api.example/"))
    assert isinstance(answer, NotSent)
    assert answer.final


async def test_a_name_that_is_bound_anew_between_two_looks_gains_nothing(monkeypatch):
    """The address that was checked is the one that is connected to: there is no second look to deceive."""
    asked = []

    def rebinding(host, port, *_, **__):
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return [(2, 1, 6, "", (address, port))]

    async with server() as (port, seen):
        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        async with fetching("api.example", "127.0.0.1") as fetch:
            first = await fetch(Request("GET", f"http://api.example:{port}/"))
            assert asked == ["api.example"]
            second = await fetch(Request("GET", f"http://api.example:{port}/"))
    assert isinstance(first, Response)
    assert isinstance(second, NotSent)
    assert second.final
    assert len(seen) == 1


@pytest.mark.parametrize(
    "to",
    ["http://169.254.169.254/", "http://127.0.0.2:{port}/", "file:///etc/passwd", "//127.0.0.2:{port}/", "/inside"],
)
async def test_a_redirect_leads_nowhere(to):
    async with server() as (port, seen), fetching("127.0.0.1") as fetch:
        url = f"http://127.0.0.1:{port}/led?to={to.format(port=port)}"
        answer = await fetch(Request("GET", url))
    assert isinstance(answer, Response)
    assert answer.status == 302
    assert seen == ["redirect"]


async def test_proxies_of_the_environment_are_not_used(monkeypatch):
    async with server() as (port, seen), fetching("api.example") as fetch:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("10.0.0.1", 80))])
        answer = await fetch(Request("GET", "http://api.example/"))
    assert isinstance(answer, NotSent)
    assert seen == []
