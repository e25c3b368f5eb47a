"""What a forwarded packet costs: our relay beside other servers under the same load.

    python -m tests.bench.relay                                                  # everything, some 12 minutes
    python -m tests.bench.relay --only batched,portable,floor --visits 20 --seconds 6 --rounds 1

Each run has its own processes: the server on core 0, its peers on core 1 (`run.py`; by itself for one run:
``python -m tests.bench.relay.run batched --rooms 20``). Rounds are interleaved and their order turns, so that what
else the machine does hits all alike. Wants root, to run before all others and in a network of its own; goes without.

The load (`clip.py`, `pump.c`): every participant publishes 720p30 VP8 of 1.6 Mbit/s and Opus, about 240 packets/s,
from real ICE and DTLS-SRTP (AES-128-GCM) on a socket of its own. Latency is from just before encryption in the
generator to just after reception there, for one packet in eight.
"""
