"""Grants, settings, addresses: the small parts."""

import time

import pytest
from itsdangerous import URLSafeTimedSerializer

from tests.relay.offers import CHROMIUM, full_offer
from visits.relay import sdp
from visits.relay.config import ConfigError, RelayConfig
from visits.relay.grants import MAX_AGE, SALT, BadGrant, Grant, sign_grant, verify_grant
from visits.relay.peer import Peer
from visits.relay.roster import OCCUPIED_FOR, SILENT_AFTER, Roster

SECRET = "a secret of the clinic"


def test_a_grant_says_who_may_enter_where():
    assert verify_grant(SECRET, sign_grant(SECRET, node="n", room="r", peer="p", epoch=3)) == Grant("n", "r", "p", 3)


def test_a_forged_old_or_malformed_grant_is_refused(monkeypatch):
    good = sign_grant(SECRET, node="n", room="r", peer="p", epoch=3)
    signer = URLSafeTimedSerializer(SECRET, salt=SALT)
    tokens = ["", "x.y.z", good[:-1], good.replace(".", "..", 1), "a" * 5000]
    tokens += [sign_grant("another secret entirely", node="n", room="r", peer="p", epoch=3)]
    tokens += [
        signer.dumps(value) for value in (["n", "r", "p"], ["n", "r", "p", "3"], {"room": "r"}, None, [1, 2, 3, 4])
    ]
    tokens += [URLSafeTimedSerializer(SECRET, salt="else").dumps(["n", "r", "p", 3])]
    for token in tokens:
        with pytest.raises(BadGrant):
            verify_grant(SECRET, token)
    now = time.time()
    for moment in (now + MAX_AGE + 2, now - 60):
        monkeypatch.setattr(time, "time", lambda moment=moment: moment)
        with pytest.raises(BadGrant):
            verify_grant(SECRET, good)


def test_settings_come_from_the_environment():
    config = RelayConfig.from_env(
        {
            "TELEHEALTH_RELAY_SECRET": "x" * 16,
            "TELEHEALTH_RELAY_PORT": "7100",
            "TELEHEALTH_RELAY_PUBLIC_IP": "192.0.2.1",
            "TELEHEALTH_RELAY_LIMITS": "away_after=2, room_peers=3",
        }
    )
    assert (config.port, config.public_ip, config.bind_host) == (7100, "192.0.2.1", "127.0.0.1")
    assert not config.local_only
    assert (config.limits.away_after, config.limits.room_peers) == (2.0, 3)
    one, another = config.bound_to(7100).node_id, config.bound_to(7100).node_id
    assert "-7100." in one
    assert one != another  # a process that starts anew is another node
    assert "x" * 16 not in repr(config)


@pytest.mark.parametrize(
    "wrong",
    [
        {"SECRET": "short"}, {"PORT": "70000"}, {"PORT": "²"}, {"NODE": "a b"}, {"BIND": "::"}, {"PUBLIC_IP": "host"},
        {"LOCAL_ONLY": "perhaps"},
        {"LIMITS": "nothing=1"}, {"LIMITS": "away_after=soon"}, {"LIMITS": "max_rooms=0"}, {"LIMITS": "cpu=nan"},
    ],
)  # fmt: skip
def test_a_wrong_setting_names_itself(wrong):
    environ = {"TELEHEALTH_RELAY_SECRET": "x" * 16} | {f"TELEHEALTH_RELAY_{name}": wrong[name] for name in wrong}
    with pytest.raises(ConfigError, match=f"TELEHEALTH_RELAY_{next(iter(wrong))}"):
        RelayConfig.from_env(environ)


def peer(name: str) -> Peer:
    return Peer("room", name, 1, sdp.parse_offer(full_offer(CHROMIUM)), 0.0)


def test_a_peer_moves_when_nominated_or_silent():
    roster, one = Roster(), peer("one")
    roster.add(one)
    assert roster.settle(one, ("192.0.2.1", 1), nominated=False, now=0.0)
    one.heard_at = 10.0
    assert not roster.settle(one, ("192.0.2.1", 2), nominated=False, now=10.0 + SILENT_AFTER / 2)
    assert roster.settle(one, ("192.0.2.1", 2), nominated=True, now=10.0)
    assert roster.settle(one, ("192.0.2.1", 3), nominated=False, now=10.0 + SILENT_AFTER * 2)
    assert roster.by_address == {("192.0.2.1", 3): one}
    roster.remove(one)
    assert roster.by_address == {}
    assert len(roster) == 0


def test_an_address_is_taken_over_only_when_its_owner_is_silent():
    roster, one, two = Roster(), peer("one"), peer("two")
    roster.settle(one, ("192.0.2.1", 1), nominated=True, now=0.0)
    one.heard_at = 1.0
    assert not roster.settle(two, ("192.0.2.1", 1), nominated=True, now=2.0)
    assert roster.settle(two, ("192.0.2.1", 1), nominated=True, now=1.0 + OCCUPIED_FOR)
    assert one.address is None
    roster.remove(one)
    assert roster.by_address == {("192.0.2.1", 1): two}
