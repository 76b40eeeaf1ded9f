"""A port for ops on a process that has no other: `/metrics` and `/healthz`, in the process's own loop.

Who asks in vain learns that the loop stands still, which is true and worth an alert. uvicorn's protocol reads and
writes; there is no server around it, which would take the process's signals over.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
Readiness = Callable[[], dict[str, str]]


def text_of(collector: Collector) -> bytes:
    """What a collector tells, in the text format that monitoring reads."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return generate_latest(registry)


async def open_port(host: str, port: int, collector: Collector, readiness: Readiness) -> asyncio.Server:
    """Answer there until closed.

    Args:
        readiness: what the process needs, each by name: "ok", or what is wrong.

    Raises:
        OSError: the port cannot be opened.
    """

    async def metrics(_: Request) -> Response:
        return Response(text_of(collector), media_type=CONTENT_TYPE)

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> Response:
        parts = readiness()
        return JSONResponse(parts, 200 if set(parts.values()) == {"ok"} else 503)

    routes = [Route("/metrics", metrics), Route("/healthz", health), Route("/readyz", ready)]
    config = Config(Starlette(routes=routes), http="httptools", ws="none", lifespan="off", log_config=None)
    config.access_log = False
    config.load()
    logging.getLogger("uvicorn.error").disabled = True
    state = ServerState()

    def connected() -> Any:
        return HttpToolsProtocol(config=config, server_state=state, app_state={})

    return await asyncio.get_running_loop().create_server(connected, host, port)
