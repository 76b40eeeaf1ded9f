"""The clock page: what clockd publishes to every program on its host, as bytes in a shared file.

Bytes 0 to 79 are ClockBound's public segment, version 2, so that a ClockBound client reads this page as its own. Such
a client takes the *uncorrected* CLOCK_REALTIME, so the bound there covers how far that is off. A stated local reference
is no synchronisation: that part then says free-running. From byte 80 on it is ours: UTC − RAW with its bound, the
evidence, a version and a checksum. All in the machine's byte order, as ClockBound has it: the page stays on its host.

    0 magic 2×u32 · 8 size u32 · 12 version u16 · 14 generation u16 · 16 as_of s, ns · 32 void_after s, ns · 48 bound
    56 disruption marker u64 · 64 max drift ppb u32 · 68 status i32 · 72 disruption support u8 · 80 ours, see `_OURS`

Generation protocol: odd while a writer is in the middle, raised by two per update. Python has no memory barriers, so on
a machine that reorders stores the generation alone does not prove a whole page; the checksum does, for our part.

A page is true for as long as its own terms say: this boot, not suspended since, not past `void_after_raw_ns`. What is
not written here is decided in `reader.py`. Source of the public part: aws/clock-bound, `clock-bound-shm` (2.0.2).
"""

import fcntl
import hashlib
import mmap
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clockd.states import STATES, WHYS, State, Why

__all__ = ["Page", "PageError", "Public", "State", "Writer", "boot_hash", "pack", "unpack"]

MAGIC: Final = (0x414D5A4E, 0x43420200)
PUBLIC_BYTES: Final = 80
PUBLIC_VERSION: Final = 2
OUR_MAGIC: Final = b"FIRSTCME"
OUR_VERSION: Final = 2
GENERATION_WORD: Final = 7  # the 16-bit word at byte 14
HOST_BYTES: Final = 128
VALID_FOR_NS: Final = 1000 * 1_000_000_000  # after the last publication, as ClockBound's void_after; at most

_HEADER = struct.Struct("=2I I H H")
_PUBLIC = struct.Struct("=qq qq q Q I i B 7x")
_LEAD = struct.Struct("=8s H H")  # our magic, version, bytes of the body; the checksum follows
_CHECKSUM = struct.Struct("=I")
_OURS = struct.Struct("=q q q q q q q q Q Q I I B B B B B B 16s H 128s")
_BODY_AT: Final = PUBLIC_BYTES + _LEAD.size + _CHECKSUM.size
PAGE_BYTES: Final = _BODY_AT + _OURS.size


class PageError(Exception):
    """The page cannot be written; the message is one line for the operator."""


@dataclass(frozen=True, slots=True)
class Public:
    """ClockBound's part.

    `as_of_ns` and `void_after_ns` are in the host's CLOCK_MONOTONIC_COARSE; at the first, |UTC − REALTIME| ≤
    `bound_ns`.
    """

    as_of_ns: int
    void_after_ns: int
    bound_ns: int
    drift_ppb: int
    state: State
    marker: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """Our part: at RAW `as_of_raw_ns`, |UTC − RAW − `utc_minus_raw_ns`| ≤ `bound_ns`, and the rate of UTC − RAW was
    within `rate_bound_ppt` of `rate_ppt`, has been within `drift_ppb` of 0 ever since, and changes by `wander_ppt_s` at
    most in a second. `model/clock.py` says what follows for any other moment.

    `void_after_raw_ns` ends it; `published_raw_ns` is when it was written; `suspended_ns` is how long the host had been
    suspended when the evidence was taken; `marker` is the virtual machine's (0: none is known); `update` numbers the
    evidence; `sources` were heard, `agreeing` of them agree; `stratum` is this host's own; `why` is what was wrong when
    the daemon last looked.
    """

    utc_minus_raw_ns: int
    as_of_raw_ns: int
    bound_ns: int
    rate_ppt: int
    rate_bound_ppt: int
    void_after_raw_ns: int
    published_raw_ns: int
    suspended_ns: int
    marker: int
    update: int
    drift_ppb: int
    wander_ppt_s: int
    state: State
    why: Why
    local_reference: bool
    sources: int
    agreeing: int
    stratum: int
    boot: bytes
    host: str


def boot_hash(boot_id: str) -> bytes:
    """Which boot a page belongs to, in 16 bytes."""
    return hashlib.sha256(boot_id.encode()).digest()[:16]


def pack_public(public: Public) -> bytes:
    """Bytes 16 to 79."""
    as_of, void_after = divmod(public.as_of_ns, 1_000_000_000), divmod(public.void_after_ns, 1_000_000_000)
    return _PUBLIC.pack(
        *as_of,
        *void_after,
        public.bound_ns,
        public.marker,
        public.drift_ppb,
        public.state.number,
        1 if public.marker else 0,
    )


def pack(page: Page) -> bytes:
    """The bytes from 80 on.

    Raises:
        PageError: the host's name is longer than 128 bytes.
    """
    name = page.host.encode()
    if len(name) > HOST_BYTES:
        raise PageError(f"host name of {len(name)} bytes: at most {HOST_BYTES}")
    body = _OURS.pack(
        page.utc_minus_raw_ns,
        page.as_of_raw_ns,
        page.bound_ns,
        page.rate_ppt,
        page.rate_bound_ppt,
        page.void_after_raw_ns,
        page.published_raw_ns,
        page.suspended_ns,
        page.marker,
        page.update,
        page.drift_ppb,
        page.wander_ppt_s,
        page.state.number,
        WHYS.index(page.why),
        page.local_reference,
        min(page.sources, 255),
        min(page.agreeing, 255),
        page.stratum,
        page.boot,
        len(name),
        name,
    )
    lead = _LEAD.pack(OUR_MAGIC, OUR_VERSION, len(body))
    return lead + _CHECKSUM.pack(zlib.crc32(lead + body)) + body


def unpack(data: bytes) -> Page | str:
    """Our part of a page's bytes, or one word for why there is none: `foreign`, `version`, `unwritten` or `torn`."""
    if len(data) < PAGE_BYTES or _HEADER.unpack_from(data)[:2] != MAGIC:
        return "foreign"
    _, _, _, public_version, generation = _HEADER.unpack_from(data)
    if public_version == 0 or generation == 0:
        return "unwritten"
    lead, body = data[PUBLIC_BYTES : PUBLIC_BYTES + _LEAD.size], data[_BODY_AT:PAGE_BYTES]
    if zlib.crc32(lead + body) != _CHECKSUM.unpack_from(data, PUBLIC_BYTES + _LEAD.size)[0]:
        return "torn"
    if _LEAD.unpack(lead) != (OUR_MAGIC, OUR_VERSION, _OURS.size):
        return "version"
    *evidence, state, why, local_reference, sources, agreeing, stratum, boot, length, name = _OURS.unpack(body)
    if state >= len(STATES) or why >= len(WHYS):
        return "version"  # whole, but not by this version's rules
    host = name[:length].decode(errors="replace")
    verdict = (STATES[state], WHYS[why], bool(local_reference), sources, agreeing, stratum, boot, host)
    return Page(*(*evidence, *verdict))


class Writer:
    """The one writer of a page: holds an exclusive lock, keeps a valid page as it is until the first update.

    The file only ever grows: a reader that has mapped it would die of SIGBUS otherwise.

    Raises:
        PageError: the file cannot be written, is another daemon's, or is no clock page.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise PageError(f"cannot write the page {path}: {error.strerror}") from error
        try:
            self._open(path)
        except BaseException:
            os.close(self._file)
            raise
        self._generations = memoryview(self._map).cast("H")
        found = unpack(self._map[:PAGE_BYTES])
        self.found = None if isinstance(found, str) else found

    def _open(self, path: Path) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PageError(f"another clockd writes the page {path}") from None
        start = os.pread(self._file, _HEADER.size, 0)
        fresh = not any(start)
        if not fresh and (len(start) < _HEADER.size or _HEADER.unpack(start)[:2] != MAGIC):
            raise PageError(f"{path} exists and is not a clock page; it is left alone")
        try:
            if os.fstat(self._file).st_size < PAGE_BYTES:
                os.truncate(self._file, PAGE_BYTES)
            os.posix_fallocate(self._file, 0, PAGE_BYTES)  # on a full disk fail here, not by SIGBUS at the first update
            if fresh or _HEADER.unpack(start)[2:4] != (PAGE_BYTES, PUBLIC_VERSION):
                generation = 0 if fresh else _HEADER.unpack(start)[4]
                os.pwrite(self._file, _HEADER.pack(*MAGIC, PAGE_BYTES, 0, generation), 0)
                os.fsync(self._file)
            self._map = mmap.mmap(self._file, PAGE_BYTES)
        except OSError as error:
            raise PageError(f"cannot write the page {path}: {error.strerror}") from error

    def write(self, public: Public, page: Page) -> None:
        """Publish both parts as one update."""
        public_bytes, our_bytes = pack_public(public), pack(page)
        generations = self._generations
        odd = generations[GENERATION_WORD] | 1
        generations[GENERATION_WORD] = odd
        self._map[_HEADER.size : PUBLIC_BYTES] = public_bytes
        self._map[PUBLIC_BYTES:PAGE_BYTES] = our_bytes
        generations[GENERATION_WORD] = (odd + 1) % 0x10000 or 2
        generations[GENERATION_WORD - 1] = PUBLIC_VERSION

    def close(self) -> None:
        """Leave the page to its readers as it is."""
        self._generations.release()
        self._map.close()
        os.close(self._file)
