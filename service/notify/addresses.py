"""Which URLs may be called: what a merchant states must not lead into the operator's own network.

A name is looked up, every address it has is checked, and the connection is made to an address that was checked; nobody
looks the name up again in between, so a name that changes its mind (DNS rebinding) gains nothing. An address that
carries another one inside (IPv4 in IPv6: mapped, 6to4, Teredo, NAT64) is as good as the one inside.

The gateway asks when a webhook is made, so that the merchant hears at once; what counts is the same question at every
delivery.
"""

import asyncio
import ipaddress
import socket
from typing import Final, TypeAlias

import httpx

LONGEST_URL: Final = 2_000
"""Characters."""
LOOK_UP_SECONDS: Final = 5.0
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressError(Exception):
    """A URL that must not or cannot be called. The message is a rule that it breaks, to stand behind its name."""


def read_url(text: str) -> httpx.URL:
    """The URL of a webhook.

    Raises:
        AddressError: it is none that can be called.
    """
    if len(text) > LONGEST_URL or not (text.isascii() and text.isprintable()) or " " in text:
        raise AddressError(f"is a URL of at most {LONGEST_URL} ASCII characters")
    try:
        url = httpx.URL(text)
        host, port = url.host, url.port
    except (httpx.InvalidURL, ValueError) as error:
        raise AddressError(f"is no URL: {error}") from error
    if url.scheme not in {"https", "http"} or not host:
        raise AddressError("begins with https:// or http:// and a host")
    if url.userinfo:
        raise AddressError("holds no user and password: messages are signed instead")
    if url.fragment or "#" in text:
        raise AddressError("has no fragment")
    if port is not None and not 0 < port < 65_536:
        raise AddressError("has no port that can be called")
    return url


def is_public(text: str) -> bool:
    """Whether an address is one of the public internet's, and every address inside it too."""
    address: _Address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inside = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64:
            inside.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
        carried = [one for one in inside if one is not None]
        if carried:
            return all(is_public(str(one)) for one in carried)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


async def checked_addresses(url: httpx.URL, allows_private: bool) -> list[str]:
    """The addresses at which a URL's host may be called, in the order in which to try them.

    Args:
        allows_private: whether addresses of loopback, link and private networks are good, too.

    Raises:
        AddressError: it has none, or one that is not public.
    """
    host = url.raw_host.decode("ascii")
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        async with asyncio.timeout(LOOK_UP_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError) as error:
        raise AddressError(f"has a host, {host:.100}, for which no address is found") from error
    addresses = list(dict.fromkeys(str(where[0]) for *_, where in found))
    private = [] if allows_private else [address for address in addresses if not is_public(address)]
    if private:
        raise AddressError(f"leads to {private[0]}, which is no address of the public internet")
    if not addresses:
        raise AddressError(f"has a host, {host:.100}, for which no address is found")
    return addresses
