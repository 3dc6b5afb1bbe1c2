"""Outgoing HTTP that cannot be talked into reaching what it should not.

Every host must be on the allow-list. The address is checked where the connection is made, by the resolver itself, so a
name that resolves to something else a moment later gains nothing; addresses that are not public are refused unless the
list names them as addresses. Redirects are not followed, answers are cut at a size, all of it has a time limit, proxies
of the environment are ignored. Secrets are filled in here and nowhere else, and taken out of what comes back.
"""

import asyncio
import base64
import ipaddress
import re
import socket
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from fireline.adapters.secrets import hiding
from fireline.engine.outgoing import MaybeSent, NotSent, Request, Response, Secrets, header_fault

_SECRET = re.compile(r"secret:([A-Za-z][A-Za-z0-9_]{0,99})")
_RESOLVING = 4
"""Threads in which names are looked up."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class _ForbiddenError(OSError):
    """The address may not be reached."""


@dataclass(frozen=True, slots=True)
class AllowList:
    """Hosts by name (`api.example.com`, `*.example.com`), and addresses that may be reached although not public."""

    names: frozenset[str]
    networks: tuple[Network, ...]

    @classmethod
    def of(cls, entries: Iterable[str]) -> "AllowList":
        """From names, addresses and networks (`10.1.0.0/16`); `localhost` stands for its addresses too."""
        names: set[str] = set()
        networks: list[Network] = []
        for entry in (e.strip().lower().rstrip(".") for e in entries):
            try:
                networks.append(ipaddress.ip_network(entry.strip("[]"), strict=False))
            except ValueError:
                names.add(_in_ascii(entry))
        if "localhost" in names:
            networks += [ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")]
        return cls(frozenset(names - {""}), tuple(networks))

    def against_host(self, host: str) -> str | None:
        """Why a host may not be asked for, None when it may."""
        address = _address(host)
        if address is not None:
            return None if self._holds(address) else f"{host} is not on the allow-list"
        name = _in_ascii(host.lower().rstrip("."))
        parents = (f"*.{name.split('.', n)[-1]}" for n in range(1, name.count(".") + 1))
        if name in self.names or any(parent in self.names for parent in parents):
            return None
        return f"{host} is not on the allow-list"

    def against_address(self, text: str) -> str | None:
        """Why a connection to this address may not be made, None when it may."""
        address = _address(text)
        if address is None:
            return f"{text} is no address"
        if self._holds(address) or all(map(_public, (address, *_carried(address)))):
            return None
        return f"{text} is not a public address"

    def _holds(self, address: Address) -> bool:
        return any(address in network for network in self.networks if network.version == address.version)


_TRANSLATED = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
"""NAT64: the last 32 bits are the address that is reached in the end (RFC 6052, RFC 8215)."""


def _public(address: Address) -> bool:
    if address.is_multicast or not address.is_global:
        return False
    local = isinstance(address, ipaddress.IPv6Address) and (address.is_site_local or address in _TRANSLATED[1])
    translated = isinstance(address, ipaddress.IPv6Address) and address in _TRANSLATED[0]
    return not local and (translated or not address.is_reserved)


def _carried(address: Address) -> list[Address]:
    """The IPv4 addresses that an IPv6 address leads to by translation or a tunnel: they have to be public as well."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    last = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    found: list[Address] = [address.sixtofour] if address.sixtofour is not None else []
    if any(address in network for network in _TRANSLATED) or int(address) >> 32 & 0xFDFF_FFFF == 0x5EFE:
        found.append(last)  # the latter is ISATAP (RFC 5214)
    return found + list(address.teredo or ())


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _in_ascii(name: str) -> str:
    """A host's name as it is asked for (`xn--...`), so that both ways of writing it are one."""
    wild, plain = name.startswith("*."), name.removeprefix("*.")
    if name.isascii():
        return name
    try:
        found = URL.build(scheme="http", host=plain).raw_host or plain
    except ValueError:
        return name
    return f"*.{found}" if wild else found


class _CheckedResolver(AbstractResolver):
    """Gives out only addresses that may be reached; the connection is made to exactly these.

    It asks in threads of its own: a name server that hangs takes none that the database is asked in.
    """

    def __init__(self, allow: AllowList) -> None:
        self._allow = allow
        self._threads = ThreadPoolExecutor(_RESOLVING, thread_name_prefix="resolve")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        asked = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM, family=family)
        found = await loop.run_in_executor(self._threads, asked)
        for entry in found:
            against = self._allow.against_address(str(entry[4][0]))
            if against is not None:
                raise _ForbiddenError(f"{host}: {against}")
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, _, proto, _, address in found
        ]

    async def close(self) -> None:
        """Let go of the threads; one that still asks ends when it is answered."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class SafeFetch:
    """The Fetch port on aiohttp. Opens its session at the first request; `close` lets go of it."""

    def __init__(self, allow: Iterable[str], secrets: Secrets, connections: int = 20) -> None:
        self._allow = AllowList.of(allow)
        self._secrets = secrets
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, request: Request) -> Response | NotSent | MaybeSent:
        """The response, or why there is none. Never raises."""
        faults = (header_fault(name, value) for name, value in request.headers.items())
        against = self._against(request.url) or next(filter(None, faults), None)
        if against is not None:
            return NotSent(against, final=True)
        used: dict[str, str] = {}
        held = {name: value for name, value in request.headers.items() if name in request.secret_headers}
        if request.basic is not None:
            held = {**held, "Authorization": f"secret:{request.basic[1]}"}
        missing = _missing(held, self._secrets, used)
        if missing:
            return NotSent(f"there is no secret {missing}", final=True)
        filled = {name: _SECRET.sub(lambda m: used[m[1]], value) for name, value in held.items()}
        hidden = list(used.items())
        if request.basic is not None:
            user, password = request.basic
            proof = base64.b64encode(f"{user}:{used[password]}".encode()).decode()
            filled["Authorization"] = f"Basic {proof}"
            hidden.append((password, proof))
        headers = {**request.headers, **filled}
        return _redacted(await self._send(request, headers), hidden)

    async def close(self) -> None:
        """Let go of connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _against(self, url: str) -> str | None:
        try:
            parsed = URL(url)
        except ValueError as fault:
            return f"{url[:100]!r} is not a URL: {fault}"
        if parsed.scheme not in ("http", "https") or not parsed.host:
            return f"{url[:100]!r} is not an http or https URL"
        if parsed.user or parsed.password:
            return "a URL holds no password: use a header with secret:NAME"
        return self._allow.against_host(parsed.host)

    async def _send(self, request: Request, headers: Mapping[str, str]) -> Response | NotSent | MaybeSent:
        try:
            async with self._opened().request(
                request.method,
                request.url,
                headers={"Accept-Encoding": "identity", **headers},
                json=request.json if request.content is None else None,
                data=request.content,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=request.timeout, sock_connect=min(request.timeout, 5.0)),
            ) as answer:
                text = await _read(answer, request.max_bytes)
                return Response(answer.status, dict(answer.headers), text)
        except aiohttp.ClientConnectorError as fault:
            forbidden = isinstance(fault.os_error, _ForbiddenError)
            return NotSent(str(fault.os_error) if forbidden else f"no connection: {fault}", final=forbidden)
        except aiohttp.ConnectionTimeoutError:
            return NotSent("no connection in time")
        except aiohttp.InvalidURL as fault:
            return NotSent(f"not a URL: {fault}", final=True)
        except (TimeoutError, aiohttp.ClientError, OSError) as fault:
            return MaybeSent(f"no answer: {type(fault).__name__} {fault}".strip())
        except (ValueError, TypeError) as fault:  # a header or body that cannot be sent at all
            return NotSent(f"cannot be sent: {fault}", final=True)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=_CheckedResolver(self._allow), use_dns_cache=False, limit=self._connections
            )
            self._session = aiohttp.ClientSession(
                connector=connector, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            )
        return self._session


async def _read(answer: aiohttp.ClientResponse, most: int) -> str:
    data = bytearray()
    async for chunk in answer.content.iter_chunked(16_384):
        data += chunk
        if len(data) >= most:
            answer.close()
            break
    return bytes(data[:most]).decode("utf-8", errors="replace")


def _missing(headers: Mapping[str, str], secrets: Secrets, used: dict[str, str]) -> str:
    """The name of a secret that is not there, empty when all were found and put into `used`."""
    names: set[str] = {found for value in headers.values() for found in _SECRET.findall(value)}
    for name in sorted(names):
        value = secrets.secret(name)
        if value is None:
            return name
        used[name] = value
    return ""


def _redacted(
    answer: Response | NotSent | MaybeSent, hidden: Iterable[tuple[str, str]]
) -> Response | NotSent | MaybeSent:
    shown = hiding(hidden)
    match answer:
        case Response(status=status, headers=headers, text=text):
            return Response(status, {shown(k): shown(v) for k, v in headers.items()}, shown(text))
        case NotSent(reason=reason, final=final):
            return NotSent(shown(reason), final)
        case MaybeSent(reason=reason):
            return MaybeSent(shown(reason))
