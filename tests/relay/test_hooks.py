"""The contract with the private names of aiortc that visits/relay/hooks.py relies on."""

import inspect
from importlib.metadata import version

import pylibsrtp
import pytest
from aioice import stun
from aiortc.rtcdtlstransport import SRTP_PROFILES, RTCCertificate, RTCDtlsTransport

from visits.relay import hooks


@pytest.mark.parametrize(
    ("package", "pinned"), [("aiortc", "1.16.0"), ("aioice", "0.13.0"), ("pylibsrtp", "1.0.0"), ("pyopenssl", "26.4.0")]
)
def test_the_versions_are_those_that_were_read(package, pinned):
    assert version(package) == pinned


def test_every_srtp_profile_of_aiortc_has_its_place_in_our_order():
    assert {p.openssl_profile for p in SRTP_PROFILES} <= set(hooks.SRTP_ORDER)
    assert hooks.SRTP_ORDER[0] in {p.openssl_profile for p in SRTP_PROFILES}


async def test_a_transport_has_the_names_that_we_set():
    wire = hooks._Wire(lambda data: None, 4)
    transport = RTCDtlsTransport(wire, [RTCCertificate.generateCertificate()])
    for name in ("_role", "_srtp_profiles", "_rx_srtp", "_tx_srtp"):
        assert name in vars(transport)
    transport._set_role("client")
    assert transport._role == "client"
    assert transport.state == "new"


def test_a_transport_asks_its_wire_for_nothing_else():
    source = inspect.getsource(RTCDtlsTransport)
    used = {word.split("(")[0].split(")")[0] for word in source.split("self.transport.")[1:]}
    assert {name.split()[0].strip(":,") for name in used} <= {"_recv", "_send", "role"}


def test_a_malformed_stun_message_raises_value_error_only():
    header = b"\x00\x01\x00\x08\x21\x12\xa4\x42" + b"t" * 12
    for data in (b"", b"\0" * 19, header, header + b"\x00\x24\x00\x01\x01\0\0\0", header + b"\x00\x20\x00\x00" * 2):
        with pytest.raises(ValueError):  # noqa: PT011 - the contract is the bare class
            hooks.parse_stun(data)


def test_a_success_response_is_authentic_and_reflects_the_address():
    message = stun.parse_message(hooks.stun_success(b"t" * 12, ("127.0.0.1", 4000), b"key"))
    assert message.check_message_integrity(b"key")
    assert message.attributes["XOR-MAPPED-ADDRESS"] == ("127.0.0.1", 4000)


def test_srtp_sessions_raise_what_we_catch():
    policy = pylibsrtp.Policy(key=b"k" * 30, ssrc_type=pylibsrtp.Policy.SSRC_ANY_INBOUND)
    session = pylibsrtp.Session(policy)
    for packet in (b"", b"\x80" * 12, b"\x80" * 1500, b"\x90" + b"\xff" * 40):
        for method in (session.unprotect, session.unprotect_rtcp):
            with pytest.raises((pylibsrtp.Error, ValueError)):
                method(packet)
