"""The call by which an operator takes a region out of a sale that is sold at the door, so that what it has left is sold
elsewhere.

The region's store is stopped and its log read to its end before the answer is given. A store that cannot be reached may
still sell what it has, so then nothing is done, and the answer says so: no share becomes nobody's by waiting.
"""

from typing import Annotated, Any, Final

import msgspec
from fastapi import FastAPI, Request
from starlette.responses import Response

from model.vocabulary import SaleId
from service.gateway import openapi, problems, schemas
from service.gateway.answers import Answer
from service.gateway.api import Api, read_body, response
from service.gateway.bodies import field_and_rule
from service.gateway.publishing import ArbiterDoor
from service.gateway.request import MAX_BODY_BYTES


class _FenceBody(msgspec.Struct, forbid_unknown_fields=True):
    region: str
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


_decode_fence: Final = msgspec.json.Decoder(_FenceBody).decode
_encode: Final = msgspec.json.Encoder(order="sorted").encode


async def fence(api: Api, door: ArbiterDoor, request: Request, sale_id: SaleId) -> Answer:
    """Fence a region out of a sale."""
    api.allow(request, "operate")
    terms = api.find(sale_id).terms
    try:
        asked = _decode_fence(await read_body(request, MAX_BODY_BYTES))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return problems.invalid([field_and_rule(str(error))])
    if asked.region not in terms.regions:
        return problems.invalid([("region", f"is one of: {', '.join(terms.regions)}")])
    if terms.method == "ordered":
        return problems.invalid([("region", "is fenced out of sales whose units are sold at the door only")])
    problem = await door.fence(sale_id, asked.region, asked.reason)
    fenced: dict[str, Any] = {"id": sale_id, "region": asked.region, "state": "fenced", "reason": asked.reason}
    return problem or Answer(200, _encode(fenced))


def add_operating_calls(app: FastAPI, api: Api, door: ArbiterDoor) -> None:
    """The calls of this page."""

    @app.post("/v1/sales/{sale}/fence", responses=openapi.FENCE, openapi_extra=openapi.body(schemas.FENCE_BODY))
    async def fence_a_region_out(request: Request, sale: str) -> Response:
        """Take a region out of a sale for good, with a reason that is recorded. What it has left is sold elsewhere."""
        return response(await fence(api, door, request, sale))
