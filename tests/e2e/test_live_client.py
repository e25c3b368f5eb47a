"""The socket client by itself, against a socket that the test plays: gaps, requests, ends, comebacks."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.e2e

# A server in the page: `sockets` are those the client opened, newest last; `heard` what it told its page.
STAGE = """
async ([scenario, name]) => {
  const {Live, LiveError} = await import("/static/js/lib/live.js");
  const sockets = [], heard = [];
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const make = () => {
    const socket = {
      readyState: 0, sent: [],
      open() { this.readyState = 1; this.say({type: "welcome", seq: 1, version: 1}); },
      say(message) { this.onmessage({data: JSON.stringify(message)}); },
      send(text) { this.sent.push(JSON.parse(text)); },
      end(code) { this.readyState = 3; this.onclose?.({code}); },
      close() { this.readyState = 3; },
    };
    sockets.push(socket);
    return socket;
  };
  const live = new Live("ws://nowhere/", {make});
  for (const type of ["up", "down", "end", "state", "news", "outdated"])
    live.addEventListener(type, ({detail}) => heard.push([type, detail?.seq ?? detail?.code ?? 0]));
  const failure = (promise) => promise.then(() => "", (error) => error instanceof LiveError ? error.code : "other");
  const result = await scenarios[name]({live, sockets, heard, wait, failure});
  live.close();
  return result;
}
"""
SCENARIOS = {
    "numbers": """async ({live, sockets: [s]}) => {
      const before = live.send("ping"); s.open();
      return [before, live.send("ping"), live.send("x", {a: 1}), s.sent];
    }""",
    "gap": """async ({sockets: [s], heard}) => {
      s.open(); s.say({type: "state", seq: 2}); s.say({type: "news", seq: 4}); s.say({type: "news", seq: 5});
      s.say({type: "news", seq: 5}); s.say({type: "state", seq: 6}); s.say({type: "news", seq: 8});
      return [s.sent.map((m) => m.type), heard];
    }""",
    "refused": """async ({sockets: [s], wait}) => {
      s.open(); s.say({type: "news", seq: 3}); s.say({type: "error", seq: 4, re: 1, code: "too-fast", message: ""});
      const before = s.sent.length;
      await wait(1200);
      s.say({type: "state", seq: 5}); s.say({type: "news", seq: 7});
      return [before, s.sent.map((m) => m.type)];
    }""",
    "restart": """async ({sockets, wait}) => {
      const times = [];
      for (const chance of [0.02, 0.9]) {
        Math.random = () => chance;
        const socket = sockets.at(-1), count = sockets.length, start = performance.now();
        socket.open(); socket.end(1012);
        while (sockets.length === count) await wait(5);
        times.push(performance.now() - start);
      }
      return times;
    }""",
    "request": """async ({live, sockets: [s], failure}) => {
      const early = await failure(live.request("join"));
      s.open();
      const good = live.request("join"), bad = failure(live.request("join"));
      const late = failure(live.request("x", {}, {within: 20})), lost = failure(live.request("join"));
      s.say({type: "joined", seq: 2, re: 1, sdp: "v=0"});
      s.say({type: "error", seq: 3, re: 2, code: "not-open", message: ""});
      const answers = [early, (await good).sdp, await bad, await late];
      s.end(1006);
      return [...answers, await lost];
    }""",
    "comeback": """async ({sockets, heard, wait}) => {
      sockets[0].open(); sockets[0].say({type: "state", seq: 2}); sockets[0].end(1006);
      await wait(700);
      sockets[1].open(); sockets[1].say({type: "state", seq: 2});
      return [sockets.length, heard];
    }""",
    "backoff": """async ({sockets, wait}) => {
      const times = [], start = performance.now();
      for (let at = 0; at < 4; at += 1) {
        while (sockets.length <= at) await wait(5);
        times.push(performance.now() - start);
        sockets[at].end(1006);
      }
      return times;
    }""",
    "finals": """async ({live, sockets, heard, wait}) => {
      sockets[0].open(); sockets[0].end(4401);
      live.wake(); dispatchEvent(new Event("online"));
      await wait(900);
      return [sockets.length, heard, live.send("ping")];
    }""",
    "wake": """async ({live, sockets, heard, wait}) => {
      sockets[0].open(); sockets[0].end(1006);
      dispatchEvent(new Event("online"));
      return [sockets.length, heard];
    }""",
    "hanging": """async ({sockets, wait}) => {
      // Time runs fast, and no try is ever answered.
      const [slow, start, steps] = [setTimeout, Date.now(), []];
      let now = start;
      Date.now = () => now;
      globalThis.setTimeout = (work, ms) => slow(() => {
        steps.push([sockets.length, now - start, ms]);
        now += ms;
        work();
      }, 0);
      sockets[0].open(); sockets[0].end(1006);
      while (now - start < 150_000) await new Promise((done) => slow(done, 5));
      globalThis.setTimeout = slow;
      return steps;
    }""",
    "online": """async ({sockets}) => {
      dispatchEvent(new Event("offline"));
      const before = sockets.length;
      dispatchEvent(new Event("online"));
      return [before, sockets.map((socket) => socket.readyState)];
    }""",
    "outage": """async ({live, sockets, heard, wait}) => {
      sockets[0].open(); sockets[0].end(1006);
      live.wake(); sockets[1].end(1006); live.wake(); sockets[2].end(1006);
      live.wake(); sockets[3].open(); sockets[3].end(1006);
      return heard.map(([type]) => type);
    }""",
    "offline": """async ({sockets: [s]}) => {
      s.open(); dispatchEvent(new Event("offline"));
      return s.sent.map((m) => m.type);
    }""",
    "outdated": """async ({sockets: [s], heard}) => {
      s.readyState = 1; s.say({type: "welcome", seq: 1, version: 99});
      return heard;
    }""",
}


@pytest.fixture
def play(site: str, person: Callable[..., Page]) -> Callable[[str], Any]:
    page = person("anybody")
    page.goto("/signin/")

    def run(name: str) -> Any:
        scenarios = "({" + ",".join(f"{key}: {code}" for key, code in SCENARIOS.items()) + "})"
        return page.evaluate(STAGE.replace("scenarios[name]", f"{scenarios}[name]"), ["", name])

    return run


def test_ids_grow_and_nothing_is_sent_while_down(play):
    before, first, second, sent = play("numbers")

    assert (before, first, second) == (0, 1, 2)
    assert sent == [{"type": "ping", "id": 1}, {"type": "x", "id": 2, "a": 1}]


def test_a_gap_asks_for_the_state_once_and_repeats_are_dropped(play):
    sent, heard = play("gap")

    assert sent == ["resync", "resync"]
    assert [seq for kind, seq in heard if kind == "news"] == [4, 5, 8]


def test_a_refused_resync_is_asked_again(play):
    before, sent = play("refused")

    assert before == 1
    assert sent == ["resync", "resync", "resync"]


def test_a_restarted_server_is_not_met_by_everybody_at_once(play):
    early, late = play("restart")

    assert late - early > 1000


def test_requests_are_answered_refused_late_or_lost(play):
    assert play("request") == ["lost", "v=0", "not-open", "timeout", "lost"]


def test_a_lost_line_comes_back_with_everything(play):
    sockets, heard = play("comeback")

    assert sockets == 2
    assert [kind for kind, _ in heard] == ["up", "state", "down", "up", "state"]


def test_waits_grow_with_jitter(play):
    times = play("backoff")
    waits = [later - earlier for earlier, later in pairwise(times)]

    for attempt, waited in enumerate(waits):
        most = 500 * 2**attempt
        assert most / 2 - 30 <= waited <= most + 300


def test_tries_that_hang_are_given_up_and_the_next_comes_soon(play):
    steps = play("hanging")
    waits, tries = steps[::2], steps[1::2]

    assert [number for number, _, _ in waits] == list(range(1, len(waits) + 1))
    assert all(waited <= 4000 for _, since, waited in waits if since < 60_000)
    assert all(waited <= 15_000 for _, _, waited in waits)
    assert all(
        max(6000, since / 2 - 100) <= hung <= max(6000, since / 2 + 100) for _, since, hung in tries if since < 60_000
    )
    assert max(hung for _, _, hung in tries) == 30_000


def test_a_try_of_before_there_was_a_network_is_made_anew(play):
    assert play("online") == [1, [3, 0]]


def test_a_final_close_is_final(play):
    sockets, heard, sent = play("finals")

    assert (sockets, sent) == (1, 0)
    assert heard[-1] == ["end", 4401]


def test_the_network_coming_back_is_used_at_once(play):
    sockets, _ = play("wake")

    assert sockets == 2


def test_one_outage_is_told_once(play):
    assert play("outage") == ["up", "down", "up", "down"]


def test_a_network_that_goes_is_noticed_at_once(play):
    assert play("offline") == ["ping"]


def test_another_version_is_told(play):
    assert ["outdated", 1] in play("outdated")
