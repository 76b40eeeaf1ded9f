"""A notary as a process: its key, its store, its rounds, until it is asked to end."""

import asyncio
import signal
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from model.vocabulary import RegionName
from service.evidence.arbiter import ArbiterNotary
from service.evidence.journals import JournalFile
from service.evidence.office import claim
from service.evidence.region import RegionNotary
from service.evidence.signing import SigningKey
from service.store import keys
from service.store.opening import Store, connect

_log = structlog.get_logger()

_PAUSE_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class NotarySettings:
    """What a notary is started with.

    `region` is its name, or "" for the arbiter's notary, which needs every region's store in `regions`. `journal` is
    the clock journal of this host, handed in with a region's sales.
    """

    store_url: str
    key: SigningKey
    region: RegionName
    regions: Mapping[RegionName, str]
    journal: Path | None
    replace_key: bool


async def run_notary(settings: NotarySettings) -> None:
    """Sign until asked to end.

    Raises:
        ForeignKeyError: the store knows another key.
        ValueError: a URL is none.
    """
    store = connect(settings.store_url)
    regions = {name: connect(url) for name, url in settings.regions.items()}
    journal = None if settings.journal is None else JournalFile(settings.journal)
    where = keys.REGION_KEY if settings.region else keys.ARBITER_KEY
    try:
        await _until_ended(_run(settings, store, where, regions, journal))
    finally:
        if journal is not None:
            journal.close()
        for opened in (store, *regions.values()):
            await opened.aclose()


async def _run(
    settings: NotarySettings,
    store: Store,
    where: str,
    regions: Mapping[RegionName, Store],
    journal: JournalFile | None,
) -> None:
    while True:
        try:
            await claim(store, where, settings.key, settings.replace_key)
            break
        except (RedisError, OSError) as error:
            _log.warning("the store does not answer; trying again", error=str(error))
            await asyncio.sleep(_PAUSE_SECONDS)
    _log.info("notary started", key=str(settings.key.verifier))
    if settings.region:
        await RegionNotary(settings.region, store, settings.key, journal).run()
    else:
        await ArbiterNotary(store, regions, settings.key).run()


async def _until_ended(work: Coroutine[Any, Any, None]) -> None:
    loop = asyncio.get_running_loop()
    working = asyncio.ensure_future(work)
    for end_signal in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(end_signal, working.cancel)
    try:
        await working
    except asyncio.CancelledError:
        return
