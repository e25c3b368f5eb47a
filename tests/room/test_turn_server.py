"""What the TURN server of docs/operations.md refuses: real coturn, asked by aioice's client."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from aioice import stun
from aioice.turn import TurnClientUdpProtocol

from tests import turnserver
from visits.room import turn

RELAY = "192.0.2.9"
# Special-purpose addresses (RFC 6890) that a server must not be made to speak to for somebody: its own machine, its
# own network, a cloud's metadata; and anybody else.
FORBIDDEN = [
    "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "198.51.100.7", "::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "2001:db8::1",
]  # fmt: skip
ALLOCATIONS = 8  # user-quota


@pytest.fixture(scope="module")
def secret() -> str:
    return secrets.token_urlsafe(48)


@pytest.fixture(scope="module")
def port(secret: str) -> Iterator[int]:
    if turnserver.program() is None:
        pytest.skip("NOT RUN: turnserver (coturn) is missing and could not be installed")
    with turnserver.running(secret, RELAY) as port:
        yield port


class Clients:
    def __init__(self, port: int, secret: str) -> None:
        self._port, self._secret = port, secret
        self._open: list[TurnClientUdpProtocol] = []

    async def allocate(self, seat: str, seconds: float = 60) -> TurnClientUdpProtocol:
        """A client with an allocation. Raises stun.TransactionFailed."""
        name = f"{int(time.time() + seconds)}:{seat}"
        server = ("127.0.0.1", self._port)
        password = turn.credential(name, self._secret)["credential"]
        _, client = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: TurnClientUdpProtocol(
                server, username=name, password=password, lifetime=600, channel_refresh_time=500
            ),
            remote_addr=server,
        )
        self._open.append(client)
        await client.connect()
        return client

    async def close(self) -> None:
        for client in self._open:
            if client.relayed_address:
                await client.delete()
            else:
                client.transport.close()


@pytest_asyncio.fixture
async def clients(port: int, secret: str) -> AsyncIterator[Clients]:
    clients = Clients(port, secret)
    yield clients
    await clients.close()


async def answer_to(client: TurnClientUdpProtocol, peer: str) -> int:
    """What the server says to a permission for an address: 0, or the code of its error (RFC 8656 section 9)."""
    request = stun.Message(message_method=stun.Method.CREATE_PERMISSION, message_class=stun.Class.REQUEST)
    request.attributes["XOR-PEER-ADDRESS"] = (peer, 9)
    try:
        await client.request_with_retry(request)
    except stun.TransactionFailed as failure:
        return int(failure.response.attributes["ERROR-CODE"][0])
    return 0


async def test_the_server_speaks_to_the_relay_and_to_no_other_address(clients: Clients) -> None:
    """Row 20 of the checklist: permission for a special-purpose address is refused."""
    client = await clients.allocate("seat-one")

    assert await answer_to(client, RELAY) == 0
    for address in FORBIDDEN:
        # 443: an address of the other family than the allocation's.
        assert await answer_to(client, address) in ({443} if ":" in address else {403}), address


async def test_passwords_end_and_a_seat_has_few_allocations(clients: Clients) -> None:
    """Row 21 of the checklist: an expired password is refused, and a person's next allocation after the last."""
    with pytest.raises(stun.TransactionFailed) as expired:
        await clients.allocate("seat-two", seconds=-5)
    assert expired.value.response.attributes["ERROR-CODE"][0] == 401

    for _ in range(ALLOCATIONS):
        await clients.allocate("seat-three")
    with pytest.raises(stun.TransactionFailed) as full:
        await clients.allocate("seat-three")
    assert full.value.response.attributes["ERROR-CODE"][0] == 486
    await clients.allocate("seat-four")
