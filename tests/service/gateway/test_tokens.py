"""The file of hashed tokens: what it lets in, and what is wrong with it."""

from pathlib import Path

import pytest

from service.gateway.tokens import SCOPES, TokensError, new_token, read_tokens, token_table

GOOD = "ab" * 32


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens.toml"


def test_a_token_lets_its_holder_do_what_the_table_says(file: Path) -> None:
    shop, ops = new_token(), new_token()
    file.write_text(token_table(shop, "shop", ["purchase"]) + token_table(ops, "ops", SCOPES))
    tokens = read_tokens(file)
    for scheme in ("Bearer", "bearer", "BEARER"):
        grant = tokens.grant(f"{scheme} {shop}".encode())
        assert grant is not None
        assert (grant.name, grant.scopes) == ("shop", {"purchase"})
    known = tokens.grant(f"Bearer {ops}".encode())
    assert known is not None
    assert known.scopes == set(SCOPES)
    for wrong in ("", shop, f"Basic {shop}", f"Bearer{shop}", f"Bearer {shop}x", f"Bearer {shop[:-1]}", "Bearer "):
        assert tokens.grant(wrong.encode()) is None


def test_the_file_holds_no_token(file: Path) -> None:
    token = new_token()
    assert token not in token_table(token, "shop", ["purchase"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no [[token]]"),
        ("token = 5", "[[token]]"),
        ('token = "x"', "[[token]]"),
        ('[token]\nname = "x"', "[[token]]"),
        ("[[token]]", "token 1: give name, sha256"),
        ("not toml", "tokens file"),
        (f'[[token]]\nname = "a"\nsha256 = "{GOOD}"\nscopes = ["fly"]', "'fly' is none of purchase"),
        (f'[[token]]\nname = "a"\nsha256 = "{GOOD}"\nscopes = "audit"', "token 1"),
        (f'[[token]]\nname = "a"\nsha256 = "{GOOD[:-2]}"\nscopes = []', "64 hex digits"),
        (f'[[token]]\nname = "a"\nsha256 = "{"g" * 64}"\nscopes = []', "not hex"),
        (f'[[token]]\nname = 1\nsha256 = "{GOOD}"\nscopes = []', "token 1"),
    ],
)
def test_a_file_that_is_wrong_says_where(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    with pytest.raises(TokensError) as raised:
        read_tokens(file)
    assert said in str(raised.value)
    assert str(file) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_cannot_be_read(file: Path) -> None:
    for path in (file, file.parent):
        with pytest.raises(TokensError, match="tokens file"):
            read_tokens(path)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(TokensError, match="tokens file"):
        read_tokens(file)
