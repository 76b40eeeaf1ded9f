"""What every notary needs of its store: to be the one whose key is known there, and to know whether it is its turn."""

import secrets
from collections.abc import Sequence
from typing import Any, Final

import structlog
from redis.exceptions import RedisError, ResponseError

from model.note import ARBITER_KEY, NoteError, VerifierKey, parse_verifier_key, region_key_name
from model.stated import Keys
from model.vocabulary import RegionName
from service.evidence.signing import SigningKey
from service.store import keys
from service.store.opening import Store

_log = structlog.get_logger()

TURN_MS: Final = 3_000
"""How long a notary that died keeps others waiting."""


class ForeignKeyError(Exception):
    """A store knows another key than ours. The message says what to do."""


async def claim(store: Store, where: str, key: SigningKey, replace: bool) -> None:
    """Make our public key the one that a store's sales will name; once it is, only the same key may come again.

    Args:
        where: the store's key for it.
        replace: take the place of another key. Sales that are published name the old one, and stay unsigned.

    Raises:
        ForeignKeyError: the store knows another key.
        redis.exceptions.RedisError: the store does not answer.
    """
    known: Any = await store.set(where, str(key.verifier), nx=not replace, get=not replace)
    if not replace and known is not None and known.decode() != str(key.verifier):
        raise ForeignKeyError(
            f"the store knows the key {known.decode()}, and the key file has {key.verifier}: bring the old key file "
            "back (every host of a region uses the same), or say --replace-key and leave the sales that are published "
            "unsigned"
        )


async def shown_keys(arbiter: Store, regions: Sequence[RegionName]) -> Keys | list[str]:
    """Who will sign a sale of these regions: the keys that notaries have shown; or the names of those who have not.

    Raises:
        redis.exceptions.RedisError: the arbiter's store does not answer.
    """
    store: Any = arbiter
    of_arbiter = _shown(await store.get(keys.ARBITER_KEY), ARBITER_KEY)
    kept = await store.hmget(keys.REGION_KEYS, list(regions))
    of_regions = {name: _shown(text, region_key_name(name)) for name, text in zip(regions, kept, strict=True)}
    missing = [name for name, key in of_regions.items() if key is None]
    if of_arbiter is None or missing:
        return missing if of_arbiter is not None else ["the arbiter", *missing]
    return Keys(of_arbiter, {name: key for name, key in of_regions.items() if key is not None})


def _shown(text: bytes | None, name: str) -> VerifierKey | None:
    try:
        key = None if text is None else parse_verifier_key(text.decode())
    except (NoteError, UnicodeDecodeError):
        return None
    return key if key is not None and key.name == name else None


async def bring_key(region: RegionName, store: Store, arbiter: Store) -> None:
    """Make a region's key known to the arbiter, so that sales can name it.

    Raises:
        redis.exceptions.RedisError: one of the stores does not answer.
    """
    remote: Any = store
    shown = await remote.get(keys.REGION_KEY)
    if shown is None:
        return
    local: Any = arbiter
    known = await local.hget(keys.REGION_KEYS, region)
    if known != shown:
        if known is not None:
            _log.warning("a region shows another key: sales from now on name it", region=region, key=shown.decode())
        await local.hset(keys.REGION_KEYS, region, shown)


class Turn:
    """Of several notaries one is at work. Only to spare the others the work: what two do at once is the same."""

    def __init__(self, store: Store, where: str) -> None:
        self._store = store
        self._where = where
        self._us = secrets.token_hex(8)

    async def is_ours(self) -> bool:
        """Whether we are the one; takes the turn where nobody has it.

        Raises:
            redis.exceptions.RedisError: the store does not answer.
        """
        store: Any = self._store
        holder = await store.set(self._where, self._us, nx=True, get=True, px=TURN_MS)
        if holder is None:
            return True
        if holder.decode() != self._us:
            return False
        await store.pexpire(self._where, TURN_MS)
        return True

    async def seize(self) -> None:
        """Take the turn from whoever has it, so that one that was just started need not wait for a dead one's to end.

        Raises:
            redis.exceptions.RedisError: the store does not answer.
        """
        store: Any = self._store
        await store.set(self._where, self._us, px=TURN_MS)


def is_over(newest: Any) -> bool:
    """Whether the newest entry of a decision log, as a range reply, is its last."""
    if not newest:
        return False
    line: bytes = newest[0][1][keys.LINE]
    return line.endswith((b'"type":"closed"}', b'"type":"halted"}'))


def is_wrong_type(error: RedisError) -> bool:
    """Whether a key holds something that nothing of ours would put there; a fault of one sale, not of its store."""
    return isinstance(error, ResponseError) and str(error).startswith("WRONGTYPE")
