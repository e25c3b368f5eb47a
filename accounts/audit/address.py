"""Where a request comes from."""

from ipaddress import IPv6Address, IPv6Network, ip_address

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest, *args: object) -> str | None:
    """The caller's address, or None where there is none (a Unix socket).

    Each of the ``PROXY_COUNT`` proxies in front of us appends to X-Forwarded-For whom it talked to, so
    the caller stands that many places from the end; what stands before came from the caller and
    proves nothing. Without proxies the header counts for nothing.
    """
    address = request.META.get("REMOTE_ADDR", "")
    if settings.PROXY_COUNT:
        hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
        address = hops[-settings.PROXY_COUNT] if len(hops) >= settings.PROXY_COUNT else address
    try:
        return str(ip_address(address))
    except ValueError:
        return None


def caller_network(request: HttpRequest) -> str | None:
    """What limits count as one caller: an IPv4 address, or the /64 that an IPv6 address lies in.

    Every line has at least that many addresses for itself (RFC 6177 §2), so counting each would limit nobody.
    """
    address = client_address(request)
    found = ip_address(address) if address else None
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or IPv6Network((int(found), 64), strict=False))
    return address
