"""The call that monitoring makes: `GET /metrics`, in Prometheus' text format.

Open by default, like health: there is no buyer, token or seed in it. Where the port is open to the world, whoever
reads how a sale goes minute by minute may be a competitor; then `--protect-metrics` asks for a token, which Prometheus
can send (`authorization: credentials_file`).
"""

from typing import Any, Final

from fastapi import FastAPI, Request
from starlette.responses import Response

from service.gateway.app import Api
from service.gateway.metrics import GatewayMetrics
from service.watching.port import CONTENT_TYPE, text_of

_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "every metric of this port's processes", "content": {"text/plain": {}}}
}


def add_metrics_call(app: FastAPI, api: Api, metrics: GatewayMetrics, is_protected: bool) -> None:
    """Answer `GET /metrics` on an application."""

    @app.get("/metrics", responses=_RESPONSES, response_class=Response)
    async def tell_monitoring(request: Request) -> Response:
        """What all processes of this port have counted, the clock of their host, and the sales of their region."""
        if is_protected:
            api.allow(request, "operate", "audit")
        return Response(text_of(metrics), media_type=CONTENT_TYPE)
