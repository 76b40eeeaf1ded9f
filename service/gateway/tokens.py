"""Who may call what: bearer tokens with scopes, from a file that holds only their hashes.

A token is 32 random bytes, so its plain SHA-256 cannot be guessed back; a lookup by hash takes no longer for a near
miss than for a wild guess. Scopes: purchase, publish, audit, operate. Health is open to everybody.

The file is TOML, one table a token: `[[token]]` with `name`, `sha256` and `scopes`. `firstcome token` makes one.
"""

import hashlib
import secrets
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

Scope: TypeAlias = Literal["purchase", "publish", "audit", "operate"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

MOST_SEEN: Final = 1_024
_BEARER: Final = b"bearer "


class TokensError(Exception):
    """A file of tokens that cannot be used. The message says what to mend."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token's holder may do."""

    name: str
    scopes: frozenset[str]


class Tokens:
    """The tokens that a region knows, by SHA-256."""

    def __init__(self, grants: Mapping[str, Grant]) -> None:
        self._grants = {bytes.fromhex(digest): grant for digest, grant in grants.items()}
        self._seen: dict[bytes, Grant] = {}
        """Headers that were good, so that a service's next call costs no hash. Only good ones are kept, and they are
        as many as callers have ways to write them: forgotten all at once when there are too many.
        """

    def grant(self, authorization: bytes) -> Grant | None:
        """The grant behind an `Authorization` header's value; None where there is none."""
        seen = self._seen.get(authorization)
        if seen is not None:
            return seen
        if authorization[:7].lower() != _BEARER:
            return None
        grant = self._grants.get(hashlib.sha256(authorization[7:].strip()).digest())
        if grant is not None:
            if len(self._seen) >= MOST_SEEN:
                self._seen.clear()
            self._seen[authorization] = grant
        return grant


def new_token() -> str:
    """A fresh token, to be shown once."""
    return secrets.token_urlsafe(32)


def token_table(token: str, name: str, scopes: Iterable[str]) -> str:
    """The table of a tokens file that lets a token in."""
    listed = ", ".join(f'"{scope}"' for scope in scopes)
    digest = hashlib.sha256(token.encode()).hexdigest()
    return f'[[token]]\nname = "{name}"\nsha256 = "{digest}"\nscopes = [{listed}]\n'


def read_tokens(path: Path) -> Tokens:
    """The tokens of a file.

    Raises:
        TokensError: it cannot be read, or a table is not as it should be.
    """
    try:
        tables = tomllib.loads(path.read_text()).get("token", [])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TokensError(f"tokens file {path}: {error}") from error
    if not isinstance(tables, list):
        raise TokensError(f"tokens file {path}: write [[token]] tables")
    grants = {}
    for number, table in enumerate(tables, start=1):
        match table:
            case {"name": str(name), "sha256": str(digest), "scopes": [*scopes]} if len(digest) == 64:
                unknown = [scope for scope in scopes if scope not in SCOPES]
                if unknown:
                    raise TokensError(
                        f"tokens file {path}: token {name}: {unknown[0]!r} is none of {', '.join(SCOPES)}"
                    )
                try:
                    bytes.fromhex(digest)
                except ValueError as error:
                    raise TokensError(f"tokens file {path}: token {name}: sha256 is not hex") from error
                grants[digest] = Grant(name, frozenset(scopes))
            case _:
                raise TokensError(f"tokens file {path}: token {number}: give name, sha256 (64 hex digits) and scopes")
    if not grants:
        raise TokensError(f"tokens file {path}: holds no [[token]]; make one with: firstcome token --scope purchase")
    return Tokens(grants)
