"""A log in a store and its newest checkpoint: read on, hashed, signed, kept.

A log only grows, and what was signed once can never be unsigned. So whoever takes over from an earlier notary reads
the log from its first line and compares with what was signed before: a log that is shorter now, or another (a store
that was set back to yesterday's copy, a line that was changed), is never signed again, and an alarm says so.

The same log at the same size always gives the same checkpoint, byte for byte, and a store keeps the largest only. Two
notaries that do the same work at once therefore harm nobody.

Cost for a line: its leaf's hash, a node's, one of the hash chain, and reading it; memory does not grow with the log.
"""

from collections.abc import Sequence
from typing import Any

from model.merkle import BLOCK, HASH_BYTES, CompactTree
from model.note import Checkpoint, NoteError, parse_checkpoint, parse_note
from model.wire import FIRST_HEAD, extend_all
from service.evidence.signing import SigningKey, has_signed
from service.store.chunks import ChunkedLines
from service.store.chunks import length as last_line
from service.store.opening import Store
from service.store.scripts import script


class LogChangedError(Exception):
    """A log is not the one that was signed before. The message says what differs."""


class Growth:
    """A growing log: its Merkle tree, its chain head, and the roots of blocks that filled up meanwhile."""

    def __init__(self) -> None:
        self.head = FIRST_HEAD
        self.full_blocks: list[bytes] = []
        """Roots of blocks that filled up and were not taken yet."""
        self.blocks = 0
        """How many full blocks there are."""
        self._above = CompactTree()
        self._block = CompactTree()

    @property
    def size(self) -> int:
        """How many lines it has."""
        return self.blocks * BLOCK + self._block.size

    def extend(self, lines: Sequence[bytes]) -> None:
        """The next lines."""
        self.head = extend_all(self.head, lines)
        taken = 0
        while taken < len(lines):
            some = lines[taken : taken + BLOCK - self._block.size]
            self._block.extend(some)
            taken += len(some)
            if self._block.size == BLOCK:
                self._above.append(self._block.root())
                self.full_blocks.append(self._block.root())
                self.blocks += 1
                self._block = CompactTree()

    def root(self) -> bytes:
        """The Merkle root of all lines."""
        if not self._block.size:
            return self._above.root()
        whole = self._above.copy()
        whole.append(self._block.root())
        return whole.root()

    def checkpoint(self, origin: str) -> Checkpoint:
        """How the log stands."""
        return Checkpoint(origin, self.size, self.root(), self.head)


class SignedLog:
    """One log in a store, and the checkpoints of it that this notary signs.

    Args:
        log_key: a stream of lines, numbered from 1.
        checkpoint_key: where the newest checkpoint is kept, and `blocks_key`: the roots of full blocks.
        origin: what checkpoints call the log.
    """

    def __init__(
        self, store: Store, log_key: str, checkpoint_key: str, blocks_key: str, origin: str, key: SigningKey
    ) -> None:
        self.log_key = log_key
        self.note = ""
        """The newest checkpoint that is in the store."""
        self._store = store
        self._keys = [checkpoint_key, blocks_key]
        self._origin = origin
        self._key = key
        self._keep = script(store, "checkpoint")
        self._growth = Growth()
        self._signed: Checkpoint | None = None
        self._began = False

    @property
    def size(self) -> int:
        """How many lines the newest checkpoint in the store covers; −1 where there is none."""
        return -1 if self._signed is None else self._signed.size

    async def catch_up(self, length: int) -> bool:
        """Sign the log as it is, if it has grown; also an empty one, once. Returns whether there is a new checkpoint.

        Args:
            length: how many lines the log has now.

        Raises:
            LogChangedError: it is not the log that was signed before.
            redis.exceptions.RedisError: the store does not answer.
        """
        try:
            if not self._began:
                await self._begin()
            known = max(self.size, self._growth.size)
            if length < known:
                length = await last_line(self._store, self.log_key)  # another notary may have signed what came since
            if length < known:
                raise LogChangedError(f"it has {length} lines, and {self.size} were signed")
            if length == self.size == self._growth.size:
                return False
            await self._read_to(length)
        except LogChangedError:
            self._growth, self._began = Growth(), False
            raise
        if self._growth.size == self.size:
            return False
        await self._sign()
        return True

    async def _begin(self) -> None:
        """Know what was signed before, whoever did."""
        kept: Any = await self._store.hget(self._keys[0], "note")
        self._signed = None
        if kept is not None:
            try:
                note = parse_note(kept.decode())
                self._signed = parse_checkpoint(note.text)
            except (NoteError, UnicodeDecodeError) as error:
                raise LogChangedError(f"what the store has as its checkpoint is none: {error}") from error
            if self._signed.origin != self._origin or not has_signed(self._key.verifier, note):
                raise LogChangedError("what the store has as its checkpoint was not signed with this key")
            self.note = kept.decode()
        self._began = True

    async def _read_to(self, length: int) -> None:
        growth = self._growth
        source = ChunkedLines(self._store, self.log_key, growth.size)
        while growth.size < length:
            until = length if self._signed is None or growth.size >= self._signed.size else self._signed.size
            await self._read_piece(source, until)
            if self._signed is not None and growth.size == self._signed.size:
                now = growth.checkpoint(self._origin)
                if now != self._signed:
                    raise LogChangedError(f"its first {now.size} lines are not those that were signed")

    async def _read_piece(self, source: ChunkedLines, until: int) -> None:
        growth = self._growth
        try:
            async for lines in source.up_to(until):
                growth.extend(lines)
        except (KeyError, ValueError) as error:
            raise LogChangedError(f"its entry behind {growth.size} is none ({error!r})") from error
        if growth.size != until or source.read_to != until:
            raise LogChangedError(f"its lines from {growth.size + 1} on are not there without a gap")

    async def _sign(self) -> None:
        growth = self._growth
        checkpoint = growth.checkpoint(self._origin)
        note = self._key.sign(checkpoint.text())
        roots = growth.full_blocks
        offset = (growth.blocks - len(roots)) * HASH_BYTES
        size = str(checkpoint.size)
        await self._keep(keys=self._keys, args=[size, note.encode(), str(offset), b"".join(roots)])
        growth.full_blocks = []
        self._signed, self.note = checkpoint, note
