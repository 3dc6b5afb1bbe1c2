"""The Cluster port on `kubernetes_asyncio`, the asynchronous build of the official client; an extra of the package.

It is loaded at the first use. The kubeconfig (`KUBECONFIG`, else `~/.kube/config`) says which cluster; without one it
is the cluster that this process runs in. Answers are taken as their JSON, so that a patch gives back what was read.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from fireline.engine.clusters import Object, Refusal, Where

TIMEOUT = 10.0
"""Seconds that one request may take."""

MISSING = "the Kubernetes client is not installed here: pip install 'fireline[kubernetes]'"


class KubernetesCluster:
    """Clusters by context of the kubeconfig; a client each, made when it is first asked for."""

    def __init__(self, kubeconfig: Path | None = None, timeout: float = TIMEOUT) -> None:
        self._kubeconfig = kubeconfig
        self._timeout = timeout
        self._clients: dict[str, Any] = {}

    async def deployment(self, where: Where) -> Object | Refusal:
        """The Deployment as it is now."""
        return await self._asked(
            where, lambda api, **more: api.read_namespaced_deployment(where.name, where.namespace, **more)
        )

    async def replica_sets(self, where: Where, selector: str) -> Sequence[Object] | Refusal:
        """The ReplicaSets that the selector takes."""
        found = await self._asked(
            where,
            lambda api, **more: api.list_namespaced_replica_set(where.namespace, label_selector=selector, **more),
        )
        if isinstance(found, Refusal):
            return found
        items = found.get("items")
        return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []

    async def patch(self, where: Where, operations: Sequence[Object]) -> Object | Refusal:
        """Change the Deployment by a JSON Patch."""
        body = [dict(operation) for operation in operations]
        return await self._asked(
            where,
            lambda api, **more: api.patch_namespaced_deployment(
                where.name,
                where.namespace,
                body,
                field_manager="fireline",
                _content_type="application/json-patch+json",
                **more,
            ),
            writes=True,
        )

    async def close(self) -> None:
        """Let go of connections."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.close()

    async def _asked(
        self, where: Where, ask: Callable[..., Awaitable[Any]], *, writes: bool = False
    ) -> Object | Refusal:
        api = await self._api(where.context)
        if isinstance(api, Refusal):
            return api
        try:
            async with asyncio.timeout(self._timeout):
                answer = await ask(api, _preload_content=False)
                return _read(where, answer.status, await answer.text())
        except aiohttp.ClientConnectorError as fault:
            return Refusal(f"the cluster cannot be reached: {fault}", 503)
        except (TimeoutError, aiohttp.ClientError, OSError) as fault:
            return Refusal(f"the cluster did not answer: {fault or 'time-out'}", 0 if writes else 503, maybe=writes)

    async def _api(self, context: str) -> Any:
        if context not in self._clients:
            try:
                self._clients[context] = await self._connected(context)
            except ImportError:
                return Refusal(MISSING)
            except Exception as fault:  # the client raises many kinds for what a kubeconfig may have wrong
                return Refusal(f"the kubeconfig cannot be used: {type(fault).__name__}: {fault}")
        from kubernetes_asyncio.client import AppsV1Api  # noqa: PLC0415 - dear to load, and an extra

        return AppsV1Api(self._clients[context])

    async def _connected(self, context: str) -> Any:
        from kubernetes_asyncio import client, config  # noqa: PLC0415 - dear to load, and an extra

        settings: Any = client.Configuration()
        path = self._kubeconfig or Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")
        if path.exists() or "KUBERNETES_SERVICE_HOST" not in os.environ:
            await config.load_kube_config(str(path), context or None, settings, persist_config=False)
        else:
            inside: Any = config
            inside.load_incluster_config(client_configuration=settings)
        return client.ApiClient(configuration=settings)


def _read(where: Where, status: int, text: str) -> Object | Refusal:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if status == 200 and isinstance(found, dict):
        return found
    said = found.get("message") if isinstance(found, dict) else None
    return Refusal(f"{where}: {said or f'the API answered {status}'}", status, maybe=False)
