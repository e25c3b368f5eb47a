"""Commands from the web side: checked, carried out once, answered."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from visits.relay import wire
from visits.relay.engine import Engine, Refused
from visits.relay.grants import BadGrant, verify_grant

REMEMBERED = 500  # answers kept for commands that come again, within seconds
MAX_ID = 64
LONGEST = 3600.0  # seconds that a room may be left open after its end


class Commands:
    """Carries commands out on the engine. An id that came before gets its old answer again."""

    def __init__(self, engine: Engine, redis: Redis, node: str, secret: str, address: tuple[str, int]) -> None:
        self._engine = engine
        self._redis = redis
        self._node = node
        self._secret = secret
        self._address = address
        self._answers: OrderedDict[str, str] = OrderedDict()

    async def take(self, identifier: str) -> None:
        """Handle one command. Raises redis.RedisError or OSError; what nobody waits for any more is dropped."""
        if not 0 < len(identifier) <= MAX_ID:
            self._engine.counters.refuse("command_malformed")
            return
        answer = self._answers.get(identifier)
        if answer is None:
            try:
                text = cast("str | None", await self._redis.get(wire.command_key(identifier)))
            except ResponseError:  # something else is there, and trying again would find it again
                self._engine.counters.refuse("command_malformed")
                return
            if text is None:
                self._engine.counters.refuse("command_expired")
                return
            answer = json.dumps(self._answer(text))
            self._remember(identifier, answer)
        await self._send(identifier, answer)

    def _remember(self, identifier: str, answer: str) -> None:
        self._answers[identifier] = answer
        if len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)

    async def refuse(self, identifier: str) -> None:
        """Answer that this node takes nothing more, so that the sender looks elsewhere."""
        if 0 < len(identifier) <= MAX_ID:
            await self._send(identifier, json.dumps({"error": wire.STOPPING}))

    async def _send(self, identifier: str, answer: str) -> None:
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(wire.command_key(identifier))
            pipe.rpush(wire.reply_key(identifier), answer)
            pipe.expire(wire.reply_key(identifier), wire.REPLY_LIFE)
            await pipe.execute()

    def _answer(self, text: str) -> dict[str, Any]:
        try:
            command = json.loads(text)
        except (ValueError, RecursionError):
            command = None  # which is no command
        try:
            return {"result": self._carry_out(command)}
        except Refused as refusal:
            self._engine.counters.refuse(f"command_{refusal.code}")
            return {"error": refusal.code}
        except BadGrant:
            self._engine.counters.refuse("command_bad-grant")
            return {"error": "bad-grant"}
        except Exception as error:  # a mistake of ours must not stop the commands of others
            self._engine.counters.fail("command", error)
            return {"error": "failed"}

    def _carry_out(self, command: object) -> Any:
        match command:
            case {"command": "join", "room": str(room), "grant": str(token), "sdp": str(offer)}:
                return self._join(room, token, offer)
            case {"command": "leave", "room": str(room), "peer": str(peer), "epoch": int(epoch)}:
                self._engine.leave(room, peer, epoch)
            case {"command": "share", "room": str(room), "peer": str(peer), "epoch": int(epoch), "on": bool(on)}:
                self._engine.share(room, peer, epoch, on=on)
            case {
                "command": "prefer", "room": str(room), "peer": str(peer), "epoch": int(epoch), "heights": dict(heights)
            }:  # fmt: skip
                self._engine.prefer(room, peer, epoch, _heights(heights))
            case {"command": "news", "room": str(room)}:
                return [event.to_text() for event in self._engine.news(room)]
            case {"command": "close_room", "room": str(room), "after": int() | float() as after} if (
                0 <= after <= LONGEST
            ):
                self._engine.close_room(room, after)
            case _:
                raise Refused("malformed")
        return "done"

    def _join(self, room: str, token: str, offer: str) -> dict[str, Any]:
        grant = verify_grant(self._secret, token)
        if (grant.node, grant.room) != (self._node, room):
            raise Refused("bad-grant")
        return self._engine.join(room, grant.peer, grant.epoch, offer, self._address).to_json()


def _heights(fields: dict[str, Any]) -> dict[int, int]:
    if not all(key.isascii() and key.isdigit() and len(key) < 3 and type(fields[key]) is int for key in fields):
        raise Refused("malformed")
    return {int(key): max(0, height) for key, height in fields.items()}
