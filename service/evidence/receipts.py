"""What one buyer can prove: a purchase's receipt, put together from what is signed already. docs/bundle.md.

A receipt shows a log line, and by a Merkle path that the region has signed a log which has it: from then on the region
cannot have lost it, nor have had another in its place, without two signatures of its own that contradict each other.
Once the entry is decided it shows the decision in the same way, under the arbiter's signature. A unit that was sold at
the door is in the entry itself: there the region's signature is all, nothing was decided or drawn. In a reservation it
shows as well, as soon as each is signed, that the purchase was listed and held, and what its holder said.

No private key is needed here, so every gateway can answer. Most of a path lies in the roots of the log's full blocks,
which the notary keeps; the rest takes the lines of the entry's block and of the last one: 512 at most.
"""

from collections.abc import Sequence
from typing import Any, Final

from model.merkle import BLOCK, HASH_BYTES, inclusion_path, leaf_hash, root_of
from model.note import path_texts
from model.outcomes import Standing
from model.terms import Terms
from model.vocabulary import BuyerId, Entry, Outcome, RegionName, RequestId
from model.wire import outcome_line, parse_canonical
from service.evidence.whys import why
from service.store import keys
from service.store.chunks import lines_between
from service.store.opening import Store

FORMAT: Final = "firstcome-receipt/1"


class NotSignedYetError(Exception):
    """No checkpoint covers the entry yet; one will, within a second or two of its logging, if a notary runs."""


class DecisionTree:
    """The Merkle tree over a sale's decision log, as far as it was needed. Leaves are kept: such a log is small."""

    def __init__(self) -> None:
        self._leaves: list[bytes] = []
        self._roots: list[bytes] = []
        """Of full blocks."""

    def path(self, lines: Sequence[bytes], index: int, size: int) -> list[bytes]:
        """The path of line `index` in the log of the first `size` lines."""
        self._leaves.extend(leaf_hash(line) for line in lines[len(self._leaves) : size])
        while len(self._roots) < size // BLOCK:
            first = len(self._roots) * BLOCK
            self._roots.append(root_of(self._leaves[first : first + BLOCK]))
        full, block = size // BLOCK, index // BLOCK
        last = self._leaves[full * BLOCK : size]
        inside = last if block == full else self._leaves[block * BLOCK : (block + 1) * BLOCK]
        roots = self._roots[:full] + ([root_of(last)] if last else [])
        return inclusion_path(inside, index % BLOCK) + inclusion_path(roots, block)


async def receipt(
    store: Store,
    terms: Terms,
    region: RegionName,
    line: bytes,
    entry: Entry,
    standing: Standing,
    decisions: Sequence[bytes],
    tree: DecisionTree,
) -> dict[str, Any]:
    """The receipt of an entry of this region, as far as what it shows is signed.

    Args:
        line: the entry's, in the log.
        standing: what `decisions`, the region's copy of the decision log, say.
        tree: of this sale.

    Raises:
        NotSignedYetError: no checkpoint covers the entry yet.
        redis.exceptions.RedisError: the store does not answer.
    """
    sale = terms.sale()
    checkpoint = await _checkpoint(store, keys.checkpoint(sale))
    if checkpoint is None or checkpoint[0] < entry.seq:
        raise NotSignedYetError
    size, note = checkpoint
    shown: dict[str, Any] = {
        "format": FORMAT,
        "sale": sale,
        "terms": terms.stated,
        "region": region,
        "seq": entry.seq,
        "entry": line.decode(),
        "checkpoint": note,
        "path": path_texts(await _path(store, sale, entry.seq - 1, size)),
        "decision": None,
        "outcome": None,
        "why": None,
    }
    outcome = standing.outcome_of(region, entry)
    if entry.unit is not None and outcome is not None:
        shown["outcome"] = parse_canonical(outcome_line(outcome))
        return shown
    signed = await _checkpoint(store, keys.decisions_checkpoint(sale))
    proved = _Proved(decisions, tree, signed)
    if terms.kind == "reservation":
        shown["turn"] = [
            proof
            for kind in (b"listed", b"held")
            if (proof := proved.of(_find(decisions, _type(kind), _of(entry.request)))) is not None
        ]
        shown["reply"] = await _reply(store, sale, entry.request, size)
    index = None if outcome is None else settled_at(outcome, region, entry.buyer, standing, decisions)
    decision = proved.of(index)
    if outcome is None or decision is None:
        return shown
    shown["decision"] = decision
    shown["outcome"] = parse_canonical(outcome_line(outcome))
    shown["why"] = await why(store, terms, entry, outcome)
    return shown


class _Proved:
    """Records of the decision log, as far as they are under the newest checkpoint."""

    def __init__(self, decisions: Sequence[bytes], tree: DecisionTree, signed: tuple[int, str] | None) -> None:
        self._decisions, self._tree = decisions, tree
        self._signed = signed if signed is not None and signed[0] <= len(decisions) else None

    def of(self, index: int | None) -> dict[str, Any] | None:
        """A record, and that it is there; None where there is none, or nobody has signed it yet."""
        if index is None or self._signed is None or index >= self._signed[0]:
            return None
        size, note = self._signed
        path = path_texts(self._tree.path(self._decisions, index, size))
        return {"index": index, "record": self._decisions[index].decode(), "checkpoint": note, "path": path}


async def _reply(store: Store, sale: str, request: RequestId, size: int) -> dict[str, Any] | None:
    """What the holder said, as a line of the log, and that it is in the first `size` lines; None while it is not."""
    kept: Any = store
    number = await kept.hget(keys.replies(sale), request)
    if number is None or int(number) > size:
        return None
    [line] = await lines_between(store, keys.log(sale), int(number), int(number))
    return {
        "seq": int(number),
        "line": line.decode(),
        "path": path_texts(await _path(store, sale, int(number) - 1, size)),
    }


def settled_at(
    outcome: Outcome, region: RegionName, buyer: BuyerId, standing: Standing, decisions: Sequence[bytes]
) -> int | None:
    """The index of the record that settled an outcome; for a duplicate, the one by which its buyer won."""
    listed = standing.holds.request_of.get(buyer, outcome.request)
    if outcome.state == "won" or outcome.reason == "duplicate":
        kind = b"confirmed" if standing.terms.kind == "reservation" else b"won"
        return _find(decisions, _type(kind), _of(outcome.of or outcome.request))
    if outcome.reason in {"released", "expired"}:
        return _find(decisions, _type(outcome.reason.encode()), _of(listed))
    if outcome.reason == "sold_out":
        return standing.sold_out_at
    if outcome.reason == "cut_off":
        return _find(decisions, _type(b"cut_off"), f'"region":"{region}"'.encode())
    kinds = {"outbid": b"closed"}
    return _find(decisions, _type(kinds.get(str(outcome.reason), str(outcome.reason).encode())), b"")


def _type(kind: bytes) -> bytes:
    return b'"type":"' + kind + b'"'


def _of(request: RequestId) -> bytes:
    return f'"request":"{request}"'.encode()


def _find(decisions: Sequence[bytes], kind: bytes, words: bytes) -> int | None:
    """The index of the last record of a kind that has some words."""
    for index in range(len(decisions) - 1, -1, -1):
        if words in decisions[index] and kind in decisions[index]:
            return index
    return None


async def _checkpoint(store: Store, key: str) -> tuple[int, str] | None:
    kept: Any = store
    size, note = await kept.hmget(key, "size", "note")
    return None if size is None else (int(size), note.decode())


async def _path(store: Store, sale: str, index: int, size: int) -> list[bytes]:
    """The path of a region log's line in the log of the first `size` lines."""
    full, block = size // BLOCK, index // BLOCK
    kept: Any = store
    packed: bytes = await kept.getrange(keys.blocks(sale), 0, full * HASH_BYTES - 1) if full else b""
    roots = [packed[start : start + HASH_BYTES] for start in range(0, len(packed), HASH_BYTES)]
    inside = await _leaves(store, sale, block, size)
    if size % BLOCK:
        roots.append(root_of(inside if block == full else await _leaves(store, sale, full, size)))
    return inclusion_path(inside, index % BLOCK) + inclusion_path(roots, block)


async def _leaves(store: Store, sale: str, block: int, size: int) -> list[bytes]:
    last = min((block + 1) * BLOCK, size)
    return [leaf_hash(line) for line in await lines_between(store, keys.log(sale), block * BLOCK + 1, last)]
