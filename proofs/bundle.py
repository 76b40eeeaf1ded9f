"""A bundle's files, read as a stranger's: a folder, or the same zipped. What they say is `audit.py`'s question.

Nothing is trusted, least of all sizes and names. A folder is walked without following links, and only regular files
count. A zip is never unpacked: its members are read in place, and refused when they are encrypted, stored under two
names, promise more than any bundle holds, or shrink more than logs do. Lines are streamed and have a longest length,
so that memory does not depend on what a file holds.

Whatever has two of `manifest.json`, `terms.json` and `decisions.jsonl` is a bundle, though perhaps a lying one; what
is wrong with it is a finding. Anything else is no bundle, and `NotABundleError` says so in one line.
"""

import hashlib
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Final

from model.vocabulary import ID_FORM
from proofs.findings import Finding, FindingError

LONGEST_LINE_BYTES: Final = 1 << 20
"""A look at 64 regions with the longest names takes 16 kB; the manifest of as many, 32 kB."""
MOST_BYTES: Final = 1 << 34
"""Some fifty million requests. More is not read, whatever a zip promises."""
MOST_FILES: Final = 10_000
MOST_SHRINKING: Final = 100
"""Logs shrink six- to tenfold when zipped, zeros a thousandfold."""
CHUNK_BYTES: Final = 1 << 19
"""Some two thousand lines of a log."""

_MARKS: Final = ("manifest.json", "terms.json", "decisions.jsonl")
_KNOWN: Final = re.compile(
    rf"manifest\.json|terms\.json|seed\.json|decisions\.jsonl|outcomes\.jsonl|(?:regions|clocks)/{ID_FORM}\.jsonl"
    rf"|checkpoints/decisions|checkpoints/regions/{ID_FORM}"
)
_UNREADABLE: Final = (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""What reading a damaged or odd member raises; `zipfile` says RuntimeError for encrypted ones."""


class NotABundleError(Exception):
    """There is no bundle at this path; says why in one line."""


@dataclass(frozen=True, slots=True)
class _File:
    """One file: how many bytes it says it has, and how to open it."""

    size_bytes: int
    open: Callable[[], IO[bytes]]


class Bundle:
    """The files of a bundle by their names, and what is already wrong with those names."""

    def __init__(self, files: dict[str, _File], findings: list[Finding], may_be_shared: bool) -> None:
        self._files = files
        self.may_be_shared = may_be_shared
        """Whether several processes may read it at once."""
        self.findings = findings
        self.read_bytes = 0
        """How many bytes have been read of all files together; each reading counts again."""
        self.watch: Callable[[], None] = lambda: None
        """Called after every piece that was read."""

    def size_bytes(self, name: str) -> int:
        """How long a file says it is; 0 where there is none."""
        return self._files[name].size_bytes if name in self._files else 0

    @property
    def names(self) -> list[str]:
        """Every file, in the order of the alphabet."""
        return sorted(self._files)

    def sha256(self, name: str) -> str:
        """The hash of a file, in hex.

        Raises:
            FindingError: it is missing or cannot be read.
        """
        digest = hashlib.sha256()
        for piece in self._pieces(name):
            digest.update(piece)
        return digest.hexdigest()

    def text(self, name: str, most_bytes: int) -> str:
        """A small text file, whole.

        Raises:
            FindingError: it is missing, cannot be read, is longer than `most_bytes`, or not UTF-8.
        """
        content = b""
        for piece in self._pieces(name):
            content += piece
            if len(content) > most_bytes:
                raise FindingError(name, None, f"the file has at most {most_bytes} bytes")
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise FindingError(name, None, "the file is UTF-8 text", str(error)) from error

    def blocks(self, name: str, longest_line_bytes: int = LONGEST_LINE_BYTES) -> Iterator[list[bytes]]:
        """A file's lines, without their ends, many at once; never an empty block.

        Raises:
            FindingError: it is missing, cannot be read, is cut within a line, or has an absurdly long one. Whatever
                comes before is given out first.
        """
        number, rest = 0, b""
        for piece in self._pieces(name):
            lines = (rest + piece).split(b"\n")
            if max(map(len, lines)) > longest_line_bytes:
                sound = next(at for at, line in enumerate(lines) if len(line) > longest_line_bytes)
                yield from filter(None, [lines[:sound]])
                rule = f"a line has at most {longest_line_bytes} bytes"
                raise FindingError(name, number + sound + 1, rule)
            rest = lines.pop()
            if lines:
                number += len(lines)
                yield lines
        if rest:
            rule = "every line ends with a line end"
            raise FindingError(name, number + 1, rule, "the file is cut within it")

    def lines(self, name: str) -> Iterator[bytes]:
        """As `blocks`, one by one."""
        for block in self.blocks(name):
            yield from block

    def only_line(self, name: str) -> bytes:
        """The line of a file that holds one record.

        Raises:
            FindingError: as `lines`, or there is not exactly one.
        """
        found = b""
        number = 0
        for number, line in enumerate(self.lines(name), start=1):
            if number > 1:
                raise FindingError(name, number, "the file holds one line", "there are more")
            found = line
        if number == 0:
            raise FindingError(name, None, "the file holds one line", "it is empty")
        return found

    def _pieces(self, name: str) -> Iterator[bytes]:
        with self._opened(name) as file:
            while piece := file.read(CHUNK_BYTES):
                self.read_bytes += len(piece)
                self.watch()
                yield piece

    @contextmanager
    def _opened(self, name: str) -> Iterator[IO[bytes]]:
        if name not in self._files:
            raise FindingError(name, None, "every file of a bundle is there", "it is missing")
        try:
            with self._files[name].open() as file:
                yield file
        except _UNREADABLE as error:
            raise FindingError(name, None, "every file can be read", str(error) or type(error).__name__) from error


@contextmanager
def open_bundle(path: Path) -> Iterator[Bundle]:
    """The bundle at a path, open while the context lasts.

    Raises:
        NotABundleError: there is none.
    """
    with ExitStack() as opened:
        try:
            mode = path.stat().st_mode
            if stat.S_ISDIR(mode):
                files, findings = _in_folder(path)
            elif stat.S_ISREG(mode):
                files, findings = _in_zip(path, opened.enter_context(zipfile.ZipFile(path)))
            else:
                raise NotABundleError(f"{path} is neither a folder nor a file")
        except zipfile.BadZipFile as error:
            raise NotABundleError(f"{path} is neither a folder nor a zip of one ({error})") from error
        except (OSError, ValueError, NotImplementedError) as error:
            raise NotABundleError(f"{path} cannot be read ({error})") from error
        yield _bundle(path, files, findings, stat.S_ISDIR(mode))


def _bundle(path: Path, files: dict[str, _File], findings: list[Finding], may_be_shared: bool) -> Bundle:
    if sum(mark in files for mark in _MARKS) < 2:
        raise NotABundleError(f"{path} is no bundle: it has not even two of {', '.join(_MARKS)}")
    if sum(file.size_bytes for file in files.values()) > MOST_BYTES:
        raise NotABundleError(f"{path} says that it holds more than {MOST_BYTES} bytes, and is not read")
    for name in [name for name in files if not _KNOWN.fullmatch(name)]:
        del files[name]
        findings.append(Finding(_shown(name), None, "no file is in a bundle that does not belong there"))
    return Bundle(files, findings, may_be_shared)


def _in_folder(path: Path) -> tuple[dict[str, _File], list[Finding]]:
    files: dict[str, _File] = {}
    findings: list[Finding] = []
    for folder, subfolders, names in os.walk(path):
        for name in names + [each for each in subfolders if (Path(folder) / each).is_symlink()]:
            found = Path(folder) / name
            relative = found.relative_to(path).as_posix()
            status = found.lstat()
            if stat.S_ISREG(status.st_mode):
                files[relative] = _File(status.st_size, partial(_plain, found))
            else:
                findings.append(Finding(_shown(relative), None, "every file is a plain file, no link and no device"))
        if len(files) + len(findings) > MOST_FILES:
            raise NotABundleError(f"{path} holds more than {MOST_FILES} files, and is not read")
    return files, findings


def _plain(path: Path) -> IO[bytes]:
    return path.open("rb")


def _in_zip(path: Path, archive: zipfile.ZipFile) -> tuple[dict[str, _File], list[Finding]]:
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) > MOST_FILES:
        raise NotABundleError(f"{path} holds more than {MOST_FILES} files, and is not read")
    around = _folder_around([member.filename for member in members])
    files: dict[str, _File] = {}
    findings: list[Finding] = []
    for member in members:
        name = member.filename.removeprefix(around)
        if name in files:
            findings.append(Finding(_shown(name), None, "every file is in a zip once"))
        elif member.file_size > max(member.compress_size, 1024) * MOST_SHRINKING:
            findings.append(Finding(_shown(name), None, f"no file grows more than {MOST_SHRINKING}-fold when unzipped"))
        else:
            files[name] = _File(member.file_size, partial(archive.open, member))
    return files, findings


def _folder_around(names: list[str]) -> str:
    """The folder that a bundle was zipped with, as `folder/`; "" where it was zipped without."""
    first = names[0].partition("/")[0] + "/" if names else ""
    return first if "manifest.json" not in names and all(name.startswith(first) for name in names) else ""


def _shown(name: str) -> str:
    """A name that somebody else chose, safe to print."""
    return name if name.isascii() and name.isprintable() and len(name) <= 300 else ascii(name[:300])
