"""`firstcome export`: a finished sale as a bundle of plain files."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from service.command.arbiter import region_urls
from service.command.base import CannotRun


def export(
    sale: Annotated[str, typer.Argument(help="The sale's id.")],
    store: Annotated[str, typer.Option(help="URL of the arbiter's store.")],
    bundle: Annotated[Path, typer.Option(help="The folder to make.")],
    region: Annotated[
        list[str] | None,
        typer.Option(help="NAME=URL of a region's store; for what a region that was cut off has beyond."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest.")] = False,
) -> None:
    """Export a finished sale. `firstcome audit` checks the result; so can anybody else.

    Example: firstcome export 5c0e… --store redis://10.9.0.5/0 --bundle sale
    """
    from redis.exceptions import RedisError

    from service.export import ExportError

    try:
        manifest = asyncio.run(_export(sale, store, region_urls(region or []), bundle))
    except (ExportError, ValueError) as error:
        raise CannotRun(str(error)) from error
    except (RedisError, OSError) as error:
        raise CannotRun(f"the arbiter's store cannot be reached: {error}") from error
    typer.echo(json.dumps(manifest) if as_json else f"sale {sale}: {len(manifest['files'])} files in {bundle}")


async def _export(sale: str, store: str, regions: dict[str, str], bundle: Path) -> dict[str, Any]:
    from service.export import export as export_sale
    from service.store.opening import connect

    arbiter = connect(store)
    stores = {name: connect(url) for name, url in regions.items()}
    try:
        return await export_sale(sale, arbiter, stores, bundle)
    finally:
        for opened in (arbiter, *stores.values()):
            await opened.aclose()
