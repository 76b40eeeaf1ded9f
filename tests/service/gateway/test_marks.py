"""Marks go along with purchases while somebody waits for a decision."""

import asyncio
import secrets

from clockd.host import RealClock
from clockd.reader import Reader
from model.terms import read_terms
from service import pulse
from service.gateway.admission import Admission, Attempt, NotLogged, Result
from service.gateway.book import Book, Sale
from service.gateway.counts import Counts
from service.gateway.marks import Marks
from service.gateway.stamping import Stamper
from service.store import keys
from service.store.opening import connect
from service.world.world import World
from tests.service.caller import Gateway
from tests.service.sales import Sales


def test_a_purchase_takes_the_mark_along(small_world: World, here: Gateway, sales: Sales) -> None:
    terms = read_terms(here.call("GET", f"/v1/sales/{sales.open}").json["terms"])

    async def run() -> None:
        host = RealClock()
        reader = Reader(small_world.page("here"), host)
        stamper = Stamper(host, reader)
        store = connect(small_world.stores["here"])
        book = Book("here", store, stamper)
        other = secrets.token_hex(16)  # a sale that no other gateway raises the mark of
        book.sales[other] = Sale(other, terms, "here")
        marks = Marks(store, book, stamper)
        admission = Admission(store, Counts(), marks.alongside)

        async def look_up() -> Result:
            told: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
            admission.add(sales.open, Attempt("", "x", None, 0, lambda _, result: told.set_result(result)))
            admission.flush()
            return await told

        now = stamper.now()
        assert now is not None
        book.heard.record(host.raw_ns(), now.utc_ns)
        book.pulse = pulse.Pulse(1, now.utc_ns, now.utc_ns, [other], {})
        least_ns = now.utc_ns - terms.intake_grace_ns
        assert await look_up() == NotLogged("unknown", "")
        mark = await store.get(keys.mark(other))
        assert mark is not None
        assert int(mark) >= least_ns
        book.pulse = pulse.Pulse(1, now.utc_ns, now.utc_ns, [], {})
        assert [marks.alongside() for _ in range(3)] == [[], [], []]
        await admission.close()
        await marks.close()
        await store.aclose()
        reader.close()

    asyncio.run(run())
