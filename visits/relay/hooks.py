"""The one module that touches aiortc and pylibsrtp, private names included.

Pinned exactly in pyproject.toml; tests/relay/test_hooks.py fails when one of these names moves.

Private names, and why each:

* ``RTCDtlsTransport._set_role``: outside RTCPeerConnection nothing public sets the DTLS role.
* ``RTCDtlsTransport._srtp_profiles``: AES-128-GCM first; aiortc prefers the dearer AES-256-GCM.
* ``RTCDtlsTransport._rx_srtp``, ``._tx_srtp``: the keyed SRTP sessions. The public way to
  packets goes through a decoder per track, and the relay never decodes.
* ``_recv``, ``_send`` (of our own `_Wire`): what RTCDtlsTransport calls on its ICE transport.
* ``pylibsrtp._binding`` (``ffi``, ``lib.srtp_protect``, ``lib.srtp_unprotect``, both also with ``_rtcp``) and
  ``Session._srtp``, for the batched path only: they work in place, while the public ``Session.protect/unprotect``
  copy each packet twice. Where they are missing the portable path is taken, which needs nothing private of pylibsrtp.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any, cast

import pylibsrtp
from aiortc.rtcdtlstransport import (
    SRTP_PROFILES,
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
)
from aiortc.rtcicetransport import RTCIceTransport

CERTIFICATE_LIFE = 24 * 3600.0  # seconds; aiortc's certificates are valid for 30 days
SRTP_ORDER = [b"SRTP_AEAD_AES_128_GCM", b"SRTP_AEAD_AES_256_GCM", b"SRTP_AES128_CM_SHA1_80"]


class Certificates:
    """The node's DTLS certificate, made anew once a day."""

    def __init__(self) -> None:
        self._made_at = 0.0
        self._certificate: RTCCertificate | None = None

    def current(self) -> RTCCertificate:
        """The certificate for a peer that joins now."""
        if self._certificate is None or time.monotonic() - self._made_at > CERTIFICATE_LIFE:
            self._certificate = RTCCertificate.generateCertificate()
            self._made_at = time.monotonic()
        return self._certificate


class _Wire:
    """What RTCDtlsTransport needs of an ICE transport: role, state, ``_recv``, ``_send``."""

    role = "controlled"
    state = "completed"

    def __init__(self, send: Callable[[bytes], None], limit: int) -> None:
        self.datagrams: asyncio.Queue[bytes] = asyncio.Queue(limit)
        self._send_now = send

    async def _recv(self) -> bytes:
        return await self.datagrams.get()

    async def _send(self, data: bytes) -> None:
        self._send_now(data)


class InPlace:
    """libsrtp on memory of our own: the addresses of its functions. Each takes the addresses of a
    context (of `SecureLink.contexts`), of the packet, and of its length, which they change, and return 0 if they did.
    """

    def __init__(self, binding: Any) -> None:
        self._ffi = binding.ffi
        self.protect = self.pointer(binding.ffi.addressof(binding.lib, "srtp_protect"))
        self.unprotect = self.pointer(binding.ffi.addressof(binding.lib, "srtp_unprotect"))
        self.unprotect_rtcp = self.pointer(binding.ffi.addressof(binding.lib, "srtp_unprotect_rtcp"))
        self.protect_rtcp = self.pointer(binding.ffi.addressof(binding.lib, "srtp_protect_rtcp"))

    def address(self, memory: Any) -> int:
        """Where a buffer lies. It must live as long as the address is used."""
        return self.pointer(self._ffi.from_buffer(memory))

    def pointer(self, to: Any) -> int:
        """The address that a pointer of libsrtp's holds."""
        return int(self._ffi.cast("uintptr_t", to))


def in_place() -> InPlace | None:
    """libsrtp in place, or None where pylibsrtp is not as we know it."""
    try:
        from pylibsrtp import _binding

        return InPlace(_binding)
    except (ImportError, AttributeError):
        return None


class SecureLink:
    """DTLS-SRTP with one peer, over datagrams that are handed in and out.

    The relay is the DTLS client. `on_closed` is called once when the peer says goodbye (DTLS
    close_notify) after the handshake.
    """

    def __init__(
        self,
        certificate: RTCCertificate,
        send: Callable[[bytes], None],
        on_closed: Callable[[], None],
        *,
        queue_limit: int,
    ) -> None:
        self._wire = _Wire(send, queue_limit)
        self._dtls = RTCDtlsTransport(cast(RTCIceTransport, self._wire), [certificate])
        self._dtls._set_role("client")
        self._dtls._srtp_profiles = sorted(SRTP_PROFILES, key=lambda profile: SRTP_ORDER.index(profile.openssl_profile))
        self._on_closed = on_closed
        self.ready = False

    @property
    def fingerprint(self) -> str:
        """SHA-256 fingerprint of our certificate, as SDP writes it."""
        prints = self._dtls.getLocalParameters().fingerprints
        return next(f.value for f in prints if f.algorithm == "sha-256")

    async def handshake(self, fingerprints: Iterable[tuple[str, str]]) -> bool:
        """Run the DTLS handshake; True once packets can be protected.

        False if it failed or the certificate does not match the offer's fingerprints. It does
        not time out: the caller bounds it. Raises nothing but CancelledError.
        """
        remote = RTCDtlsParameters([RTCDtlsFingerprint(a, v) for a, v in fingerprints])
        try:
            await self._dtls.start(remote)
        except Exception:  # whatever OpenSSL makes of hostile bytes must end with this peer
            return False
        if self._dtls.state != "connected":
            return False
        self.ready = True
        self._dtls.on("statechange", self._state_changed)
        return True

    def _state_changed(self) -> None:
        if self.ready and self._dtls.state == "closed":
            self.ready = False
            self._on_closed()

    def feed(self, datagram: bytes) -> bool:
        """Hand in a DTLS datagram; False if the queue was full and it was dropped."""
        try:
            self._wire.datagrams.put_nowait(datagram)
        except asyncio.QueueFull:
            return False
        return True

    def contexts(self) -> tuple[Any, Any, object]:
        """libsrtp's contexts for what comes in and what goes out, for `InPlace.pointer`, once `ready`.

        They are freed with the third, which must be kept as long as they are used.
        """
        sessions = self._dtls._rx_srtp, self._dtls._tx_srtp
        return sessions[0]._srtp[0], sessions[1]._srtp[0], sessions

    def protect(self, packet: bytes) -> bytes | None:
        """SRTP of an RTP packet, or None if libsrtp refuses it."""
        try:
            return self._dtls._tx_srtp.protect(packet)
        except (pylibsrtp.Error, ValueError):
            return None

    def unprotect(self, packet: bytes) -> bytes | None:
        """The RTP packet, or None if it is forged, replayed or malformed."""
        try:
            return self._dtls._rx_srtp.unprotect(packet)
        except (pylibsrtp.Error, ValueError):
            return None

    def protect_rtcp(self, packet: bytes) -> bytes | None:
        """SRTCP of an RTCP packet, or None if libsrtp refuses it."""
        try:
            return self._dtls._tx_srtp.protect_rtcp(packet)
        except (pylibsrtp.Error, ValueError):
            return None

    def unprotect_rtcp(self, packet: bytes) -> bytes | None:
        """The RTCP packet, or None if it is forged, replayed or malformed."""
        try:
            return self._dtls._rx_srtp.unprotect_rtcp(packet)
        except (pylibsrtp.Error, ValueError):
            return None

    async def close(self) -> None:
        """Say goodbye to the peer and stop. `on_closed` is not called for it."""
        self.ready = False
        self._dtls.remove_all_listeners()
        try:
            await self._dtls.stop()
        except Exception:  # a transport that broke half-way is closed all the same
            return
