"""The call that monitoring makes: `GET /metrics`, in Prometheus' text format.

The port is the public one, and whoever reads how a sale goes minute by minute may be a competitor: so it takes a token
with the scope `operate` or `audit`, which Prometheus can send (`authorization: credentials_file`). Where only ops reach
the port, `--open-metrics` does without.
"""

from fastapi import FastAPI, Request
from starlette.responses import Response

from service.gateway import openapi
from service.gateway.api import Api
from service.gateway.metrics import GatewayMetrics
from service.watching.port import CONTENT_TYPE, text_of


def add_metrics_call(app: FastAPI, api: Api, metrics: GatewayMetrics, is_open: bool) -> None:
    """Answer `GET /metrics` on an application."""

    @app.get("/metrics", responses=openapi.METRICS, response_class=Response)
    async def tell_monitoring(request: Request) -> Response:
        """What all processes of this port have counted, the clock of their host, and the sales of their region."""
        if not is_open:
            api.allow(request, "operate", "audit")
        return Response(text_of(metrics), media_type=CONTENT_TYPE)
