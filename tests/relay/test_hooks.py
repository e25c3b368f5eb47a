"""The contract with the private names of aiortc that visits/relay/hooks.py relies on."""

import ctypes
import inspect
import struct
import sys
from importlib.metadata import version

import pylibsrtp
import pytest
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


def test_srtp_sessions_raise_what_we_catch():
    policy = pylibsrtp.Policy(key=b"k" * 30, ssrc_type=pylibsrtp.Policy.SSRC_ANY_INBOUND)
    session = pylibsrtp.Session(policy)
    for packet in (b"", b"\x80" * 12, b"\x80" * 1500, b"\x90" + b"\xff" * 40):
        for method in (session.unprotect, session.unprotect_rtcp):
            with pytest.raises((pylibsrtp.Error, ValueError)):
                method(packet)


def sessions(profile: int, *, window: int = 1024) -> tuple[pylibsrtp.Session, pylibsrtp.Session]:
    """One that protects what the other opens."""
    key = bytes(range(46))
    made = []
    for kind in (pylibsrtp.Policy.SSRC_ANY_OUTBOUND, pylibsrtp.Policy.SSRC_ANY_INBOUND):
        length = 30 if profile == pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80 else 28
        policy = pylibsrtp.Policy(key=key[:length], ssrc_type=kind, srtp_profile=profile)
        policy.window_size, policy.allow_repeat_tx = window, True
        made.append(pylibsrtp.Session(policy))
    return made[0], made[1]


@pytest.mark.parametrize(
    "profile",
    [pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM, pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80],
)
def test_libsrtp_in_place_does_what_its_public_way_does(profile):
    srtp = hooks.in_place()
    outward, inward = sessions(profile)
    memory = bytearray(1700)
    base = srtp.address(memory)
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_size_t)
    protect, unprotect = kind(srtp.protect), kind(srtp.unprotect)
    sender, receiver = srtp.pointer(outward._srtp[0]), srtp.pointer(inward._srtp[0])
    for number in range(3):
        plain = struct.pack(">BBHII", 0x80, 96, number, 1, 2) + b"media"
        memory[:4], memory[16 : 16 + len(plain)] = len(plain).to_bytes(4, "little"), plain
        assert protect(sender, base + 16, base) == 0
        size = int.from_bytes(memory[:4], "little")
        protected = bytes(memory[16 : 16 + size])
        assert size > len(plain)
        assert outward.protect(plain) == protected  # a repetition is the identical packet
        assert unprotect(receiver, base + 16, base) == 0
        assert bytes(memory[16 : 16 + int.from_bytes(memory[:4], "little")]) == plain
        memory[:4], memory[16 : 16 + size] = size.to_bytes(4, "little"), protected
        assert unprotect(receiver, base + 16, base) != 0  # a replay


def test_the_binding_has_the_signatures_that_we_call():
    ffi, lib = pylibsrtp._binding.ffi, pylibsrtp._binding.lib
    for function in (lib.srtp_protect, lib.srtp_unprotect, lib.srtp_protect_rtcp, lib.srtp_unprotect_rtcp):
        assert ffi.typeof(function).cname == "srtp_err_status_t(*)(struct srtp_ctx_t_ *, void *, int *)"
    assert (
        ffi.typeof(sessions(pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM)[0]._srtp).cname == "struct srtp_ctx_t_ * *"
    )


def test_without_the_binding_there_is_nothing_in_place(monkeypatch):
    monkeypatch.setitem(sys.modules, "pylibsrtp._binding", None)
    monkeypatch.delattr(pylibsrtp, "_binding")
    assert hooks.in_place() is None
