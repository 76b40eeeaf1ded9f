"""The calls that give evidence out, a purchase's receipt and a finished sale's bundle; and one that takes some in.

A receipt is there as soon as the region's notary has signed a log with the entry in it, a second or so after the 202;
before that the answer is 409 with `Retry-After`. It is asked for again after the sale, and then holds the decision too.

A beacon's value is fetched by the arbiter. Where it cannot reach any of the beacon's servers, a person brings it here;
it is verified all the same.

The bundle comes from the arbiter's store. Where this gateway's user may not read it (it holds the seeds of sales to
come), the answer says so, and `firstcome export` is the way.
"""

from typing import Final

import msgspec
from fastapi import FastAPI, Request
from redis.exceptions import NoPermissionError, RedisError
from starlette.responses import Response, StreamingResponse

from model.vocabulary import SaleId
from service.arbiter.told import LONGEST_ANSWER_BYTES, Told
from service.evidence.receipts import DecisionTree, NotSignedYetError, receipt
from service.export import ExportError, export_zip
from service.gateway import openapi, problems, schemas
from service.gateway.answers import Answer
from service.gateway.api import Api, read_body, response
from service.gateway.bodies import field_and_rule
from service.gateway.publishing import ArbiterDoor
from service.store.attempts import find_purchase
from service.store.opening import Store

_decode_beacon: Final = msgspec.json.Decoder(Told).decode
_encode: Final = msgspec.json.Encoder(order="sorted").encode

SEAL_PATIENCE_SECONDS: Final = 3.0
"""A sale is sealed moments after its end; a caller waits that long, and is then asked to come again."""


class Evidence:
    """What one gateway process gives out."""

    def __init__(self, api: Api, store: Store, arbiter_store: Store, door: ArbiterDoor) -> None:
        self._api = api
        self._door = door
        self._store = store
        self._arbiter_store = arbiter_store
        self._trees: dict[SaleId, DecisionTree] = {}

    async def receipt(self, request: Request, sale_id: SaleId, purchase: str) -> Answer:
        self._api.allow(request, "purchase", "audit", "operate")
        sale = self._api.find(sale_id)
        self._api.allow_to_see_entries(request, sale)
        if sale.terms.keys is None:
            return problems.not_signed(sale_id)
        try:
            found = await find_purchase(self._store, sale_id, purchase)
            if found is None:
                return problems.unknown_purchase(purchase, self._api.book.region)
            tree = self._trees.setdefault(sale_id, DecisionTree())
            shown = await receipt(self._store, sale.terms, sale.region, *found, sale.standing, sale.lines, tree)
        except NotSignedYetError:
            return problems.not_signed_yet()
        except (RedisError, OSError):
            return problems.store_gone()
        return Answer(200, _encode(shown))

    async def beacon(self, request: Request, sale_id: SaleId) -> Answer:
        self._api.allow(request, "operate")
        self._api.find(sale_id)
        try:
            told = _decode_beacon(await read_body(request, LONGEST_ANSWER_BYTES))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return problems.invalid([field_and_rule(str(error))])
        except RecursionError:
            return problems.invalid([("", "is nested too deeply")])
        problem = await self._door.enter_beacon(sale_id, told)
        return problem or Answer(200, _encode({"id": sale_id, "signature": told.signature}))

    async def ledger(self, request: Request, sale_id: SaleId) -> Response:
        self._api.allow(request, "audit", "operate")
        sale = self._api.find(sale_id)
        if not sale.standing.over:
            return response(problems.not_over(sale_id))
        try:
            pieces = await export_zip(sale_id, self._arbiter_store, SEAL_PATIENCE_SECONDS)
        except ExportError as error:
            return response(problems.not_sealed(str(error)))
        except NoPermissionError:
            return response(problems.ledger_elsewhere())
        except (RedisError, OSError):
            return response(problems.arbiter_gone("The arbiter's store does not answer; nothing was begun."))
        named = {"content-disposition": f'attachment; filename="{sale_id}.zip"'}
        return StreamingResponse(pieces, media_type="application/zip", headers=named)


def add_evidence_calls(app: FastAPI, evidence: Evidence) -> None:
    """The calls of this page."""

    @app.post(
        "/v1/sales/{sale}/beacon",
        summary="Enter a beacon's value",
        responses=openapi.BEACON,
        openapi_extra=openapi.body(schemas.BEACON_BODY),
    )
    async def enter_a_beacons_value(request: Request, sale: str) -> Response:
        """Bring the value of the public beacon's round that a sale waits for, as drand's servers tell it."""
        return response(await evidence.beacon(request, sale))

    @app.get("/v1/sales/{sale}/purchases/{purchase}/receipt", responses=openapi.RECEIPT)
    async def show_a_receipt(request: Request, sale: str, purchase: str) -> Response:
        """What proves that a purchase was logged, and how it was decided. Check it with `firstcome audit --receipt`."""
        return response(await evidence.receipt(request, sale, purchase))

    @app.get("/v1/sales/{sale}/ledger", responses=openapi.LEDGER, response_class=Response)
    async def download_the_ledger(request: Request, sale: str) -> Response:
        """The whole finished sale as a zip, enough to replay and check it. Check it with `firstcome audit`."""
        return await evidence.ledger(request, sale)
