"""The rivals: how one would write a flash sale's endpoint with FastAPI and redis.asyncio, and well.

One process of uvicorn with uvloop and httptools, no access log, replies read by hiredis, a pool with a connection for
each client that wrk keeps, the script loaded once and called by its hash. It does what such endpoints do: decrement
the stock atomically and say whether there was any left. It does not know who asks, when they asked, or whether they
asked before, and with a store that does not sync it forgets what it sold when the machine fails.

Run by `stage.py` as: uvicorn service.bench.rivals:app, with RIVAL_STORE naming the store.
"""

import os
from typing import Final

from fastapi import FastAPI, HTTPException, Response
from pydantic import BaseModel
from redis.asyncio import BlockingConnectionPool, Redis

CONNECTIONS: Final = 64

_DECREMENT: Final = """
-- KEYS: stock. Returns what is left, or -1 where nothing was.
local left = tonumber(redis.call('GET', KEYS[1]) or '0')
if left <= 0 then
  return -1
end
return redis.call('DECR', KEYS[1])
"""


class Purchase(BaseModel):
    """What a buyer sends."""

    buyer: str


def _app() -> FastAPI:
    pool: BlockingConnectionPool = BlockingConnectionPool.from_url(
        os.environ["RIVAL_STORE"], max_connections=CONNECTIONS, protocol=2
    )
    decrement = Redis(connection_pool=pool).register_script(_DECREMENT)
    app = FastAPI()

    @app.post("/sales/{sale}/purchases", status_code=202)
    async def purchase(sale: str, purchase: Purchase) -> dict[str, str | int]:
        """The atomic decrement."""
        left = await decrement(keys=[sale])
        if left < 0:
            raise HTTPException(409, "sold out")
        return {"buyer": purchase.buyer, "left": left}

    @app.post("/nothing")
    async def nothing() -> Response:
        """What the framework alone costs."""
        return Response(status_code=204)

    return app


app = _app() if "RIVAL_STORE" in os.environ else None
