"""A visit where nothing but a TURN server is reached: real coturn, real Chromium, the real relay behind it."""

import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Page

from accounts.models import AccessLink, User
from tests import turnserver
from tests.conftest import staff
from tests.e2e import media, steps
from tests.e2e.conftest import Relay
from tests.room.conftest import admit, patient_link, redeemed  # noqa: F401
from visits.booking.models import Appointment
from visits.room import services, turn

pytestmark = pytest.mark.e2e

# As behind a firewall that lets nothing through but the way to the TURN server.
RELAY_ONLY = """
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(config, ...more) {
    super({...config, iceTransportPolicy: "relay"}, ...more);
  }
};
"""

# What a connection knows of the way: its pair, every address of the other side, the candidates in the answer.
WAY = """async () => {
  const peer = window.connections.findLast((each) => each.connectionState === "connected");
  const stats = [...(await peer.getStats()).values()];
  const by = (id) => stats.find((each) => each.id === id);
  const pair = by(stats.find((each) => each.type === "transport").selectedCandidatePairId);
  const local = by(pair.localCandidateId);
  return {
    type: local.candidateType, protocol: local.relayProtocol,
    seen: stats.filter((each) => each.type === "remote-candidate").map((each) => `${each.address}:${each.port}`),
    answered: [...peer.remoteDescription.sdp.matchAll(/a=candidate:\\S+ \\d \\S+ \\d+ (\\S+) (\\d+)/g)]
      .map(([, address, port]) => `${address}:${port}`),
  };
}"""

# The candidates that a TURN server gives for these credentials, and the errors that it answers with.
GATHER = """async (server) => {
  const peer = new RTCPeerConnection({iceServers: [server], iceTransportPolicy: "relay"});
  const found = [], errors = [];
  peer.onicecandidateerror = ({errorCode}) => errors.push(errorCode);
  peer.addTransceiver("audio");
  const done = new Promise((resolve) => {
    peer.onicecandidate = ({candidate}) => (candidate?.candidate ? found.push(candidate.type) : resolve());
  });
  await peer.setLocalDescription();
  await done;
  peer.close();
  return [found, errors];
}"""


@pytest.fixture(scope="module")
def secret() -> str:
    return secrets.token_urlsafe(48)


@pytest.fixture(scope="module")
def port(secret: str, relay: Relay) -> Iterator[int]:
    if turnserver.program() is None:
        pytest.skip("NOT RUN: turnserver (coturn) is missing and could not be installed")
    with turnserver.running(secret, relay.address) as port:
        yield port


@pytest.fixture
def visit(visit: Appointment, clinician: User) -> Appointment:
    """Its patient has come and was let in."""
    admit(visit, clinician)
    steps.behind(services.open_encounter, principal=staff(clinician), visit=visit)
    return visit


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_visit_goes_by_the_turn_server_alone(
    relay: Any,
    person: Callable[..., Page],
    visit: Appointment,
    clinician: User,
    verified: Callable[[User], Client],
    redeemed: Callable[[AccessLink], Client],  # noqa: F811
    patient_link: AccessLink,  # noqa: F811
    secret: str,
    port: int,
    transport: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings, "TURN_URLS", [f"turn:127.0.0.1:{port}?transport={transport}"])
    monkeypatch.setattr(settings, "TURN_SECRET", secret)
    # Several people behind one TURN server: the relay sees one address, and tells them apart.
    pages = [person("doctor", colour="red", tone=400), person("rosa", colour="blue", tone=1000)]
    sessions = [verified(clinician), redeemed(patient_link)]
    areas = ["visits", "my"]
    for page, session, area in zip(pages, sessions, areas, strict=True):
        page.add_init_script(RELAY_ONLY)
        steps.carry_session(page, session)
        page.goto(f"/{area}/{visit.pk}/room/")
    doctor, rosa = pages

    media.looks(doctor.locator("#tiles video"), "blue")
    media.looks(rosa.locator("#tiles video"), "red")
    media.keeps_moving(doctor.locator("#tiles video"))
    ways = [page.evaluate(WAY) for page in pages]
    assert [(way["type"], way["protocol"]) for way in ways] == [("relay", transport)] * 2
    # Each knows the address of the relay, and of nobody else.
    known = {address for way in ways for address in (*way["seen"], *way["answered"])}
    assert len(known) == 1


def test_a_wrong_or_expired_credential_is_refused(person: Callable[..., Page], secret: str, port: int) -> None:
    page = person("rosa")
    page.goto("/signin/")
    later, before = int(time.time()) + 600, int(time.time()) - 10

    def gathered(name: str, key: str) -> tuple[list[str], list[int]]:
        found, errors = page.evaluate(GATHER, {"urls": [f"turn:127.0.0.1:{port}"], **turn.credential(name, key)})
        return found, sorted(set(errors))

    assert gathered(f"{later}:seat", secret)[0] == ["relay"]
    for name, key in ((f"{later}:seat", "another secret"), (f"{before}:seat", secret), ("seat", secret)):
        found, errors = gathered(name, key)
        assert found == [], name
        assert 401 in errors or 701 in errors, errors


def test_nothing_is_asked_where_no_server_is_named(
    relay: Any,
    person: Callable[..., Page],
    visit: Appointment,
    clinician: User,
    verified: Callable[[User], Client],
) -> None:
    """Row 25 of the checklist: no STUN or TURN server is contacted unless one is set."""
    page = person("doctor")
    steps.carry_session(page, verified(clinician))
    page.goto(f"/visits/{visit.pk}/room/")
    page.wait_for_function("() => window.connections.some((each) => each.connectionState === 'connected')")

    assert page.evaluate("() => window.connections.map((each) => each.getConfiguration().iceServers)") == [[]]
