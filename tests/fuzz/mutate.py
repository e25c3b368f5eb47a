"""Bytes and JSON gone wrong, the same ones for the same seed."""

import json
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SEEDS = Path(os.environ.get("TELEHEALTH_FUZZ_SEEDS", Path(__file__).parents[3] / "shared" / "data" / "fuzz-seeds"))
LONGEST = 4000
EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
ODD_WORDS = ("", "\0", "é", "\ud800", "a" * 300, "-1", "1e999", "../..", "%s", "{}", "\r\n", "\u202e")


def kept(kind: str) -> list[bytes]:
    """Captured and fuzzed inputs beside the repository, if they are there; the targets bring seeds of their own."""
    return [path.read_bytes() for path in sorted((SEEDS / kind).glob("*"))] if SEEDS.is_dir() else []


class Mutator:
    """Makes inputs from good ones."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def edge(self, size: int) -> bytes:
        """A whole number of `size` bytes, rather at one of its edges."""
        pick = self.chance.choice(EDGES) if self.chance.random() < 0.6 else self.chance.getrandbits(32)
        return (pick & (1 << 8 * size) - 1).to_bytes(size, "big")

    def octets(self, seeds: Sequence[bytes]) -> bytes:
        """One of the seeds, changed in some places."""
        data = bytearray(self.chance.choice(seeds))
        for _ in range(self.chance.choice((0, 1, 1, 2, 3, 8))):
            self._change(data, seeds)
        return bytes(data[:LONGEST])

    def _change(self, data: bytearray, seeds: Sequence[bytes]) -> None:
        chance = self.chance
        at = chance.randrange(len(data) + 1)
        match chance.randrange(8):
            case 0:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del data[at:]
            case 2:
                data[at:at] = chance.randbytes(chance.randrange(1, 40))
            case 3:
                size = chance.choice((1, 2, 4))
                data[at : at + size] = self.edge(size)
            case 4:
                del data[at : at + chance.randrange(1, 9)]
            case 5:
                if at < len(data):
                    data[at] ^= 1 << chance.randrange(8)
            case 6:
                other = chance.choice(seeds)
                data[at:] = other[chance.randrange(len(other) + 1) :]
            case 7:
                piece = data[at : at + chance.randrange(1, 60)]
                data[at:at] = piece * chance.randrange(1, 20)

    def lines(self, seeds: Sequence[str]) -> str:
        """One of the texts, with lines taken out, doubled, moved, changed."""
        chance = self.chance
        lines = chance.choice(seeds).split("\r\n")
        for _ in range(chance.choice((0, 1, 2, 5, 20))):
            at = chance.randrange(len(lines))
            match chance.randrange(6):
                case 0:
                    del lines[at]
                case 1:
                    lines[at:at] = lines[at : at + chance.randrange(1, 6)] * chance.randrange(1, 8)
                case 2:
                    other = chance.choice(seeds).split("\r\n")
                    lines[at] = chance.choice(other)
                case 3:
                    lines[at] = self.word(lines[at])
                case 4:
                    to = chance.randrange(len(lines))
                    lines[at], lines[to] = lines[to], lines[at]
                case 5:
                    words = lines[at].split(" ")
                    words[chance.randrange(len(words))] = self.word(chance.choice(words))
                    lines[at] = " ".join(words)
            lines = lines or [""]
        return chance.choice(("\r\n", "\r\n", "\r\n", "\n")).join(lines)

    def word(self, word: str) -> str:
        """A word with something odd about it."""
        chance = self.chance
        at = chance.randrange(len(word) + 1)
        match chance.randrange(5):
            case 0:
                return word[:at]
            case 1:
                return word[:at] + chance.choice(ODD_WORDS) + word[at:]
            case 2:
                return chance.choice(ODD_WORDS)
            case 3:
                return word[:at] + str(chance.choice(EDGES)) + word[at:]
            case _:
                return word * chance.randrange(2, 30)

    def value(self, depth: int = 0) -> Any:
        """Any JSON value."""
        chance = self.chance
        match chance.randrange(9 if depth < 4 else 6):
            case 0:
                return None
            case 1:
                return chance.random() < 0.5
            case 2:
                return chance.choice((*EDGES, -1, -(2**63), 2**200))
            case 3:
                return chance.choice((0.5, -0.0, 1e308, float("nan"), float("inf")))
            case 4 | 5:
                return chance.choice(ODD_WORDS)
            case 6:
                return [self.value(depth + 1) for _ in range(chance.randrange(5))]
            case _:
                return {chance.choice(("room", "peer", "epoch", "slots", "x", "")): self.value(depth + 1)}

    def document(self, seeds: Sequence[Any]) -> str:
        """JSON like one of the seeds, with values or structure changed; now and then no JSON at all."""
        whole = json.loads(json.dumps(self.chance.choice(seeds)))
        for _ in range(self.chance.choice((0, 1, 1, 2, 4))):
            whole = self._touch(whole)
        text = json.dumps(whole)
        if self.chance.random() < 0.2:
            text = self.octets([text.encode()]).decode("utf-8", "surrogateescape")
        return text

    def _touch(self, part: Any) -> Any:
        chance = self.chance
        if isinstance(part, dict) and part and chance.random() < 0.9:
            key = chance.choice(list(part))
            match chance.randrange(5):
                case 0:
                    del part[key]
                case 1:
                    part[chance.choice(ODD_WORDS)] = self.value()
                case _:
                    part[key] = self._touch(part[key])
            return part
        if isinstance(part, list) and part and chance.random() < 0.9:
            at = chance.randrange(len(part))
            match chance.randrange(4):
                case 0:
                    del part[at]
                case 1:
                    part += part[: chance.randrange(1, 4)] * chance.randrange(1, 20)
                case _:
                    part[at] = self._touch(part[at])
            return part
        return self.value()
