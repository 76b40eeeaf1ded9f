"""`firstcome key`: makes a signing key, or shows the public part of one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.command.base import CannotRun, region_name

if TYPE_CHECKING:
    from service.evidence.signing import SigningKey

KEY_HELP = "File of the signing key, readable by its owner only; made where there is none."


def key(
    file: Annotated[Path, typer.Argument(help=KEY_HELP)],
    region: Annotated[str, typer.Option(help="It signs this region's logs.")] = "",
    arbiter: Annotated[bool, typer.Option("--arbiter", help="It signs the arbiter's.")] = False,
) -> None:
    """Make a signing key where there is none, and print its public part, as a sale's terms will name it.

    Example: firstcome key shanghai.key --region shanghai
    """
    if arbiter == bool(region):
        raise CannotRun("say whose key it is: --region NAME or --arbiter")
    if region:
        region_name(region)
    typer.echo(str(read_key(file, region).verifier))


def read_key(path: Path, region: str) -> "SigningKey":
    """The key in a file, made where there is none; the arbiter's for the region ""."""
    from model.note import ARBITER_KEY, region_key_name
    from service.evidence.signing import KeyFileError, load_or_make_key

    try:
        return load_or_make_key(path, region_key_name(region) if region else ARBITER_KEY)
    except KeyFileError as error:
        raise CannotRun(str(error)) from error
