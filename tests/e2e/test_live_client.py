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
  // What gives out tickets; each is another one.
  const desk = {
    asked: [],
    give(path) { this.asked.push(path); return Promise.resolve(`t${this.asked.length}`); },
  };
  const make = (_, protocols) => {
    const socket = {
      protocols, readyState: 0, sent: [],
      open() { this.readyState = 1; this.say({type: "welcome", seq: 1, version: 2}); },
      say(message) { this.onmessage({data: JSON.stringify(message)}); },
      send(text) { this.sent.push(JSON.parse(text)); },
      end(code) { this.readyState = 3; this.onclose?.({code}); },
      close() { this.readyState = 3; },
    };
    sockets.push(socket);
    return socket;
  };
  const live = new Live("ws://nowhere/ws/board/", {make, ticket: (...asked) => desk.give(...asked)});
  for (const type of ["up", "down", "end", "state", "news", "outdated"])
    live.addEventListener(type, ({detail}) => heard.push([type, detail?.seq ?? detail?.code ?? 0]));
  const failure = (promise) => promise.then(() => "", (error) => error instanceof LiveError ? error.code : "other");
  await wait(0);
  const result = await scenarios[name]({live, sockets, heard, wait, failure, desk});
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
      await wait(0);
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
    "online": """async ({sockets, wait}) => {
      dispatchEvent(new Event("offline"));
      const before = sockets.length;
      dispatchEvent(new Event("online"));
      await wait(0);
      return [before, sockets.map((socket) => socket.readyState)];
    }""",
    "outage": """async ({live, sockets, heard, wait}) => {
      sockets[0].open(); sockets[0].end(1006);
      for (const at of [1, 2, 3]) {
        live.wake();
        await wait(0);
        if (at === 3) sockets[at].open();
        sockets[at].end(1006);
      }
      return heard.map(([type]) => type);
    }""",
    "offline": """async ({sockets: [s]}) => {
      s.open(); dispatchEvent(new Event("offline"));
      return s.sent.map((m) => m.type);
    }""",
    "tickets": """async ({live, sockets, wait, desk}) => {
      sockets[0].open(); sockets[0].end(4428);
      while (sockets.length < 2) await wait(5);
      return [desk.asked, sockets.map((socket) => socket.protocols)];
    }""",
    "no ticket": """async ({live, sockets, heard, wait, desk}) => {
      let asked = 0;
      desk.give = async () => { asked += 1; throw new TypeError("Failed to fetch"); };
      sockets[0].open(); sockets[0].end(1006);
      await wait(4000);
      return [sockets.length, asked, heard.map(([type]) => type)];
    }""",
    "too many tickets": """async ({live, sockets, wait, desk}) => {
      const [slow, waits] = [setTimeout, []];
      desk.give = async () => { throw {closes: 4429}; };
      globalThis.setTimeout = (work, ms) => (waits.push(ms), slow(work, ms));
      sockets[0].open(); sockets[0].end(1006);
      live.wake();
      await new Promise((done) => slow(done, 20));
      globalThis.setTimeout = slow;
      return waits.at(-1);
    }""",
    "no session": """async ({live, sockets, heard, wait, desk}) => {
      desk.give = async () => { throw {closes: 4401}; };
      sockets[0].open(); sockets[0].end(1006);
      live.wake();
      await wait(0);
      live.wake(); dispatchEvent(new Event("online"));
      await wait(900);
      return [sockets.length, heard.at(-1)];
    }""",
    "closed while fetching": """async ({live, sockets, heard, wait, desk}) => {
      let give, given;
      desk.give = (path, signal) => new Promise((done) => { give = done; given = signal; });
      sockets[0].open(); sockets[0].end(1006);
      live.wake();
      const before = given.aborted;
      live.close();
      give("late");
      await wait(900);
      return [before, given.aborted, sockets.length, heard.map(([type]) => type)];
    }""",
    "fetching anew": """async ({live, sockets, wait, desk}) => {
      const asked = [];
      desk.give = (path, signal) => new Promise((done) => asked.push({done, signal}));
      sockets[0].open(); sockets[0].end(1006);
      live.wake();
      live.wake();
      const once = asked.length;
      dispatchEvent(new Event("online"));
      asked[0].done("early"); asked[1].done("late");
      await wait(0);
      return [once, asked.map(({signal}) => signal.aborted), sockets.map(({protocols}) => protocols[1])];
    }""",
    "fetch hangs": """async ({sockets, wait, desk}) => {
      const [slow, signals] = [setTimeout, []];
      desk.give = (path, signal) => (signals.push(signal), new Promise(() => {}));
      globalThis.setTimeout = (work, ms) => slow(work, ms / 100);
      sockets[0].open(); sockets[0].end(1006);
      while (signals.length < 4) await new Promise((done) => slow(done, 5));
      globalThis.setTimeout = slow;
      return [sockets.length, signals.map((signal) => signal.aborted)];
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
        scenarios = "({" + ",".join(f"'{key}': {code}" for key, code in SCENARIOS.items()) + "})"
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


def test_each_try_shows_a_ticket_of_its_own(play):
    paths, protocols = play("tickets")

    assert paths == ["/ws/board/", "/ws/board/"]
    assert protocols == [["telehealth", "t1"], ["telehealth", "t2"]]


def test_without_a_ticket_it_tries_again_after_the_usual_pauses(play):
    sockets, asked, heard = play("no ticket")

    assert sockets == 1
    assert 3 <= asked <= 5
    assert heard == ["up", "down"]


def test_who_asked_for_too_many_tickets_waits_long(play):
    assert 7500 <= play("too many tickets") <= 15_000


def test_a_session_that_is_over_is_the_end(play):
    assert play("no session") == [1, ["end", 4401]]


def test_who_leaves_while_a_ticket_is_fetched_leaves_no_socket_behind(play):
    assert play("closed while fetching") == [False, True, 1, ["up", "down"]]


def test_a_ticket_is_asked_for_once_and_anew_when_the_network_is_back(play):
    assert play("fetching anew") == [1, [True, False], ["t1", "late"]]


def test_a_ticket_that_does_not_come_is_given_up(play):
    assert play("fetch hangs") == [1, [True, True, True, False]]


def test_another_version_is_told(play):
    assert ["outdated", 1] in play("outdated")
