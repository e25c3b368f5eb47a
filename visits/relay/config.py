"""Settings of one relay node, from the environment."""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

MIN_SECRET = 16  # characters
PATHS = ("portable", "batched")  # which packets can take (paths.py)


class ConfigError(ValueError):
    """A setting is missing or wrong; the message is one line for the operator."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one node. Times in seconds, sizes in bytes."""

    max_rooms: int = 200
    max_peers: int = 400
    room_peers: int = 6
    datagram: int = 1500  # bytes; WebRTC sends nothing that an Ethernet frame does not hold
    ring: int = 131_072  # packets that the batched path keeps at most: 1.5 seconds' worth, as long as this suffices
    dtls_queue: int = 32  # datagrams waiting for OpenSSL, per peer
    packets_per_second: int = 1500  # work for one peer; a camera in three sizes, a screen and sound take some 700
    picture_bitrate: int = 12_000_000  # bit/s from one peer; what a page sends at most, and as much again
    sound_bitrate: int = 1_500_000  # likewise; it passes whatever a receiver's line says, so it must be little
    strangers_per_second: int = 1000  # datagrams from unknown addresses that are tried against a key, for the node
    ssrcs: int = 48  # distinct inbound SSRCs per peer: libsrtp keeps state for each
    away_after: float = 5.0
    gone_after: float = 15.0
    connect_within: float = 15.0
    cpu: float = 0.9  # of one core: a node has one thread
    late: float = 0.3  # that the event loop, and so a packet, may be late now and then
    bits_per_second: int = 1_000_000_000  # of media that the node's line can send


@dataclass(frozen=True, slots=True)
class RelayConfig:
    """What one node needs to know. `secret` signs the join grants; without a `name` the
    node is named after its machine and port.
    """

    name: str
    redis_url: str
    secret: str = field(repr=False)
    bind_host: str = "127.0.0.1"
    public_ip: str = "127.0.0.1"
    local_only: bool = False  # nobody but this machine is heard, whatever the address
    port: int = 0  # 0: the system chooses
    path: str = ""  # "portable" or "batched"; by itself the faster one that there is
    node_id: str = ""  # known when it is bound
    limits: Limits = Limits()

    def bound_to(self, port: int) -> RelayConfig:
        """The settings once the port is known, with an id that tells this process from all others, earlier ones too.

        A node that starts anew has none of the rooms that it had, so it is another node.
        """
        name = self.name or f"relay-{os.uname().nodename[:32]}-{port}"
        return replace(self, port=port, node_id=f"{name}.{secrets.token_hex(3)}")

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> RelayConfig:
        """Read TELEHEALTH_RELAY_* and TELEHEALTH_REDIS_URL. ConfigError if one is wrong."""
        secret = environ.get("TELEHEALTH_RELAY_SECRET", "")
        if len(secret) < MIN_SECRET:
            raise ConfigError(f"TELEHEALTH_RELAY_SECRET needs at least {MIN_SECRET} characters")
        port = environ.get("TELEHEALTH_RELAY_PORT", "7000")
        if not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ConfigError("TELEHEALTH_RELAY_PORT is not a port number")
        name = environ.get("TELEHEALTH_RELAY_NODE", "")
        if name and not re.fullmatch(r"[A-Za-z0-9._-]{1,48}", name):
            raise ConfigError("TELEHEALTH_RELAY_NODE may hold letters, digits, dot, dash, _")
        path = environ.get("TELEHEALTH_RELAY_PATH", "")
        if path not in ("", *PATHS):
            raise ConfigError(f"TELEHEALTH_RELAY_PATH is not {' or '.join(PATHS)}")
        local_only = environ.get("TELEHEALTH_RELAY_LOCAL_ONLY", "no")
        if local_only not in ("yes", "no"):
            raise ConfigError("TELEHEALTH_RELAY_LOCAL_ONLY is not yes or no")
        bind_host = environ.get("TELEHEALTH_RELAY_BIND", "127.0.0.1")
        return cls(
            name=name,
            redis_url=environ.get("TELEHEALTH_REDIS_URL", "redis://127.0.0.1:6379/0"),
            secret=secret,
            bind_host=_ipv4("TELEHEALTH_RELAY_BIND", bind_host),
            public_ip=_ipv4(
                "TELEHEALTH_RELAY_PUBLIC_IP",
                environ.get("TELEHEALTH_RELAY_PUBLIC_IP", "127.0.0.1"),
            ),
            local_only=local_only == "yes",
            port=int(port),
            path=path,
            limits=_limits(environ.get("TELEHEALTH_RELAY_LIMITS", "")),
        )


def _ipv4(name: str, text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise ConfigError(f"{name} is not an IPv4 address") from None


def _limits(text: str) -> Limits:
    """Limits with overrides, written ``away_after=2,gone_after=4``."""
    kinds = {f.name: int if isinstance(f.default, int) else float for f in fields(Limits)}
    overrides: dict[str, float] = {}
    for item in filter(None, text.split(",")):
        name, _, value = item.strip().partition("=")
        try:
            overrides[name] = kinds[name](value)
            if not overrides[name] > 0:
                raise ValueError
        except (KeyError, ValueError):
            raise ConfigError(f"TELEHEALTH_RELAY_LIMITS: {name!r}") from None
    return replace(Limits(), **overrides)  # type: ignore[arg-type]
