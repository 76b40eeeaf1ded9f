"""A gateway as a process: its port, its clock, its store, its sales, its heartbeats."""

import asyncio
import gc
import resource
import signal
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final

import structlog

from clockd.host import HostClock
from clockd.reader import Reader
from clockd.webhook import Webhook
from model.vocabulary import RegionName
from service.gateway.admission import Admission
from service.gateway.api import Api
from service.gateway.app import make_app
from service.gateway.book import Book
from service.gateway.counts import Counts
from service.gateway.evidence import Evidence, add_evidence_calls
from service.gateway.handover import Uvicorn
from service.gateway.intake import Intake
from service.gateway.marks import Marks
from service.gateway.metrics import LAYOUT, GatewayMetrics
from service.gateway.monitoring import add_metrics_call
from service.gateway.operating import add_operating_calls
from service.gateway.peers import Peers
from service.gateway.publishing import ArbiterDoor
from service.gateway.purchase import Purchases
from service.gateway.replying import Replies, add_reply_calls
from service.gateway.routing import RoutingSettings, is_routed
from service.gateway.stamping import Stamper
from service.gateway.tokens import Tokens
from service.gateway.webhooks import Webhooks, add_webhook_calls
from service.store.opening import connect
from service.tasks import end as end_tasks
from service.watching.shared import SharedCounts

_log = structlog.get_logger()

READY_TIMEOUT_SECONDS: Final = 10.0
GC_THRESHOLDS: Final = (20_000, 20, 20)
"""A turn's purchases are many objects and no cycle among them; by default one batch is looked through several times."""
SHARE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """What a gateway is started with."""

    region: RegionName
    host: str
    port: int
    store_url: str
    arbiter_store_url: str
    page: Path
    """The clock page of this host."""
    counts: Path | None = None
    """Where processes that share the port keep their counts; None: there is one process only."""
    opens_metrics: bool = False
    """Whether monitoring needs no token."""
    webhook: Webhook | None = None
    """Whom to tell when this process is ready no more, or again."""
    routing: RoutingSettings = field(default_factory=RoutingSettings)
    refuses_unsafe_store: bool = True
    """Whether a store that could lose what it took is as good as gone, also when it comes back with other settings."""


async def run_gateway(settings: GatewaySettings, tokens: Tokens, host: HostClock) -> None:
    """Serve until asked to end.

    Raises:
        OSError: the port cannot be opened.
        SharedCountsError: the counts cannot be kept where they should be.
    """
    _allow_many_connections()
    stamper = Stamper(host, Reader(settings.page, host))
    stamper.receive_times.sample()
    store, tail_store, arbiter_store = (
        connect(settings.store_url, refuses_unsafe=settings.refuses_unsafe_store),
        connect(settings.store_url, refuses_unsafe=settings.refuses_unsafe_store),
        connect(settings.arbiter_store_url),
    )
    book = Book(settings.region, tail_store, stamper, partial(is_routed, settings.routing, settings.region))
    counts = Counts()
    marks = Marks(tail_store, book, stamper)
    admission = Admission(store, counts, marks.alongside)
    peers = Peers(settings.region, settings.routing)
    purchases = Purchases(settings.region, tokens, book, stamper, admission, counts, peers)
    door = ArbiterDoor(arbiter_store)
    api = Api(tokens, book, stamper, purchases, store, door)
    app = make_app(api, version("firstcome"))
    add_evidence_calls(app, Evidence(api, store, arbiter_store, door))
    add_operating_calls(app, api, door)
    add_reply_calls(app, Replies(api, stamper, store))
    add_webhook_calls(app, Webhooks(api, arbiter_store))
    uvicorn = Uvicorn(app, stamper)
    intake = Intake(purchases, stamper, uvicorn.take)
    shared = None if settings.counts is None else SharedCounts(settings.counts, LAYOUT)
    metrics = GatewayMetrics(settings.region, book, stamper, admission, intake, counts, shared)
    add_metrics_call(app, api, metrics, settings.opens_metrics)
    ending = asyncio.Event()
    for end_signal in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(end_signal, ending.set)
    tasks = [
        asyncio.create_task(book.tail(), name="tail"),
        asyncio.create_task(marks.beat(), name="marks"),
        *([asyncio.create_task(_share(metrics), name="counts")] if shared is not None else []),
        *([asyncio.create_task(peers.watch(), name="peers")] if settings.routing.policy != "serve" else []),
        *(_webhook_tasks(settings.webhook, api) if settings.webhook is not None else []),
    ]
    try:
        await _caught_up(book)
        gc.freeze()  # what is here now stays: without it, every full collection under load looks at all of it again
        gc.set_threshold(*GC_THRESHOLDS)
        listener = intake.listen(settings.host, settings.port)
        _log.info("gateway listens", region=settings.region, address=f"{settings.host}:{settings.port}")
        ended = asyncio.create_task(ending.wait(), name="ending")
        done, _ = await asyncio.wait([*tasks, ended], return_when=asyncio.FIRST_COMPLETED)
        asyncio.get_running_loop().remove_reader(listener.fileno())
        listener.close()
        for task in done - {ended}:
            task.result()
    finally:
        await end_tasks(tasks)
        metrics.share()
        intake.close()
        uvicorn.close()
        await admission.close()
        await marks.close()
        await peers.close()
        for opened in (store, tail_store, arbiter_store):
            await opened.aclose()


async def _share(metrics: GatewayMetrics) -> None:
    """Keep the other processes of the port informed."""
    while True:
        metrics.share()
        await asyncio.sleep(SHARE_SECONDS)


def _webhook_tasks(webhook: Webhook, api: Api) -> list[asyncio.Task[None]]:
    async def watch() -> None:
        while True:
            webhook.tell(api.readiness())
            await asyncio.sleep(SHARE_SECONDS)

    return [asyncio.create_task(watch(), name="readiness"), asyncio.create_task(webhook.run(), name="webhook")]


async def _caught_up(book: Book) -> None:
    """Know the sales before answering for them; a store that is away does not keep the port closed."""
    try:
        await asyncio.wait_for(book.caught_up.wait(), READY_TIMEOUT_SECONDS)
    except TimeoutError:
        _log.warning("the region's store does not answer; purchases are refused until it does")


def _allow_many_connections() -> None:
    """As many open files as the system lets this process have; a common default is 1 024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
