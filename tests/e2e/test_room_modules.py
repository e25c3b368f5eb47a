"""The room's modules by themselves: how a line is judged, and how a session comes back whatever breaks."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.e2e

# A session between a socket and connections that the test plays. `peers` are those it made, newest last.
STAGE = """
async (scenario) => {
  const {Session} = await import("/static/js/room/session.js");
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const heard = [], peers = [], joins = [];
  const live = Object.assign(new EventTarget(), {
    isUp: true, sent: [], woken: 0,
    send(type, fields) { this.sent.push([type, fields]); return this.sent.length; },
    request: (type, fields) => new Promise((resolve, reject) => joins.push({type, fields, resolve, reject})),
    resync() { this.sent.push(["resync"]); },
    wake() { this.woken += 1; },
    say(type, detail = {}) { this.dispatchEvent(new CustomEvent(type, {detail})); },
  });
  const makePeer = (_, iceServers) => {
    const peer = Object.assign(new EventTarget(), {
      state: "new", slots: new Map(), screenReceiver: null, closed: false, tracks: null, sound: 0,
      offer: async () => `offer ${peers.length}`,
      accept: async (joined) => { for (const slot of joined.slots) peer.slots.set(slot.index, slot); },
      send: async (tracks) => { peer.tracks = tracks; },
      iceServers,
      heard: async () => peer.sound,
      close() { peer.closed = true; },
      become(state) { peer.state = state; peer.dispatchEvent(new CustomEvent("change", {detail: state})); },
    });
    peers.push(peer);
    return peer;
  };
  const workers = [];
  const Real = globalThis.Worker;
  globalThis.Worker = class extends Real { constructor(...how) { super(...how); workers.push(this); } };
  const session = new Session(live, {makePeer});
  globalThis.Worker = Real;
  session.addEventListener("phase", ({detail}) => heard.push(detail));
  session.addEventListener("end", ({detail}) => heard.push(["end", detail.code, detail.over]));
  const slots = [{index: 0, audio: "a", video: "v"}];
  const answer = async () => { joins.at(-1).resolve({epoch: joins.length, slots}); await wait(5); };
  const join = async () => { live.say("up"); await wait(5); await answer(); peers.at(-1).become("connected"); };
  const refuse = async (code) => { joins.at(-1).reject(Object.assign(new Error(code), {code})); await wait(5); };
  const encryption = {policy: "preferred", mode: "on", unable: [], by: null};
  const state = (more = {}) => ({phase: "open", you: "me", people: [], slots: {}, screen: null, encryption, ...more});
  const stage = {session, live, peers, workers, joins, heard, join, answer, refuse, state, wait};
  const result = structuredClone(await scenario(stage));
  session.leave();
  return result;
}
"""

SCENARIOS: dict[str, tuple[str, Any]] = {
    "sends nothing when this page cannot encrypt as it must, and again when it need not": (
        """async ({session, live, peers, workers, join, state, wait}) => {
          await join();
          await session.setTracks({audio: "sound"});
          const sent = () => peers.at(-1).tracks.audio;
          const steps = [sent()];
          live.say("state", state());
          workers.at(-1).dispatchEvent(new Event("error"));
          await wait(5);
          steps.push(session.security.mode, sent());
          await session.setTracks({audio: "other"});
          steps.push(sent());
          live.say("state", state({encryption: {...state().encryption, mode: "off"}}));
          await wait(5);
          return [...steps, session.security.mode, sent()]; }""",
        ["sound", "broken", None, None, "off", "other"],
    ),
    "joins once it is welcome, by the servers that it is told of": (
        """async ({live, peers, joins, answer, wait}) => {
          const ahead = peers.length, detail = {ice_servers: [{urls: ["turn:x"]}]};
          live.say("up", detail); await wait(5); await answer();
          return [ahead, peers.length, joins[0].fields.sdp, peers[0].iceServers]; }""",
        [0, 1, "offer 1", [{"urls": ["turn:x"]}]],
    ),
    "a call that moves to another relay keeps its old connection until the new one carries": (
        """async ({live, peers, joins, join, answer, wait, heard}) => {
          await join(); live.say("moved"); live.say("moved"); await wait(5); const during = peers[0].closed;
          await answer(); const answered = peers[0].closed; peers[1].become("connected");
          return [joins.length, during, answered, peers[0].closed, peers[1].closed, heard]; }""",
        [2, False, False, True, False, ["connected"]],
    ),
    "and has one connection in the end, also when the first new one came to nothing": (
        """async ({live, peers, joins, join, answer, wait}) => {
          await join(); live.say("moved"); await wait(5); await answer(); peers[1].become("failed");
          while (joins.length < 3) await wait(20);
          await answer(); peers[2].become("connected"); return peers.map((peer) => peer.closed); }""",
        [True, True, False],
    ),
    "full relays are named, and asked again after growing pauses": (
        """async ({live, joins, refuse, answer, peers, wait, heard}) => {
          live.say("up"); await wait(5);
          const at = [];
          for (const tries of [1, 2, 3]) {
            while (joins.length < tries) await wait(20);
            at.push(performance.now()); await refuse("relay-full");
          }
          while (joins.length < 4) await wait(20);
          at.push(performance.now()); await answer(); peers.at(-1).become("connected");
          const pauses = at.slice(1).map((each, i) => each - at[i]);
          return [pauses[0] < pauses[1] && pauses[1] < pauses[2], heard]; }""",
        [True, ["busy", "connected"]],
    ),
    "a new socket takes up the media that flow": (
        """async ({live, peers, joins, join, answer, wait, heard}) => {
          await join(); live.sent.length = 0; live.say("up"); await wait(5); await answer();
          return [joins.map((one) => one.type), joins[1].fields, peers.length, peers[0].closed, live.sent, heard]; }""",
        [
            ["join", "resume"],
            {"epoch": 1},
            1,
            False,
            [["media", {"audio": False, "video": False}], ["share", {"on": False}]],
            ["connected"],
        ],
    ),
    "a copy that the relay has let go is joined again": (
        """async ({live, peers, joins, join, refuse, answer, wait}) => {
          await join(); live.say("up"); await wait(5); await refuse("not-joined"); await wait(5); await answer();
          return [joins.map((one) => one.type), peers.length, peers[0].closed, peers[1].closed]; }""",
        [["join", "resume", "join"], 2, True, False],
    ),
    "a copy that was refused because its successor joins already is not joined twice": (
        """async ({live, peers, joins, join, wait}) => {
          await join(); live.say("up"); await wait(5); peers[0].become("failed"); await wait(20);
          joins[1].reject(Object.assign(new Error(), {code: "not-joined"})); await wait(20);
          return joins.map((one) => one.type); }""",
        ["join", "resume", "join"],
    ),
    "a relay that cannot be asked leaves the media alone": (
        """async ({live, peers, joins, join, refuse, wait, heard}) => {
          await join(); live.say("up"); await wait(5); await refuse("relay-unavailable");
          while (joins.length < 3) await wait(20);
          return [joins.map((one) => one.type), peers.length, heard]; }""",
        [["join", "resume", "resume"], 1, ["connected"]],
    ),
    "a new socket joins again when the media are dead": (
        """async ({live, peers, joins, join, wait}) => {
          await join(); live.isUp = false; peers[0].become("failed"); await wait(20); live.say("up"); await wait(20);
          return joins.map((one) => one.type); }""",
        ["join", "join"],
    ),
    "who cannot encrypt waits for the clinician's word": (
        """async ({live, joins, refuse, answer, peers, state, wait, heard}) => {
          live.say("up"); await wait(5); await refuse("encryption-undecided"); await wait(600);
          live.say("state", state()); await wait(5); const before = joins.length;
          const off = state({encryption: {policy: "preferred", mode: "off", unable: [], by: "Dr. X"}});
          live.say("state", off); live.say("state", off); await wait(5); await answer();
          peers.at(-1).become("connected"); return [before, joins.length, heard]; }""",
        [1, 2, ["encryption-undecided", "joining", "connected"]],
    ),
    "a failed connection is replaced at once": (
        """async ({peers, joins, join, answer, wait, heard}) => {
          await join(); peers[0].become("failed"); await wait(20); await answer(); peers[1].become("connected");
          return [joins.length, peers[0].closed, heard]; }""",
        [2, True, ["connected", "resuming", "connected"]],
    ),
    "a disconnected one may mend itself": (
        """async ({peers, joins, join, wait}) => {
          await join(); peers[0].become("disconnected"); await wait(500); peers[0].become("connected");
          await wait(3200); return [joins.length, peers[0].closed]; }""",
        [1, False],
    ),
    "one that mended itself can fail again": (
        """async ({peers, joins, join, wait}) => {
          await join(); peers[0].become("disconnected"); await wait(100); peers[0].become("connected");
          peers[0].become("failed"); await wait(20); return joins.length; }""",
        2,
    ),
    "a relay that does not answer is asked again": (
        """async ({live, joins, refuse, answer, peers, wait, heard}) => {
          live.say("up"); await wait(5); await refuse("relay-unavailable"); await wait(20); await answer();
          peers.at(-1).become("connected"); return [joins.length, heard]; }""",
        [2, ["connected"]],
    ),
    "a relay that never answers is named as the trouble": (
        """async ({live, joins, refuse, wait, heard}) => {
          live.say("up"); await wait(5);
          for (const tries of [1, 2, 3, 4]) {
            while (joins.length < tries) await wait(20);
            await refuse("relay-unavailable");
          }
          return heard; }""",
        ["unavailable"],
    ),
    "a full visit is named, and entered when somebody left": (
        """async ({live, joins, refuse, answer, peers, wait, heard}) => {
          live.say("up"); await wait(5); await refuse("room-full"); await wait(3000); const before = joins.length;
          while (joins.length < 2) await wait(20);
          await answer(); peers.at(-1).become("connected"); return [before, heard]; }""",
        [1, ["full", "connected"]],
    ),
    "a lost socket is waited for": (
        """async ({live, joins, refuse, wait}) => {
          live.say("up"); await wait(5); await refuse("lost"); await wait(50); const before = joins.length;
          live.say("up"); await wait(5); return [before, joins.length]; }""",
        [1, 2],
    ),
    "a connection from which nothing comes is replaced": (
        """async ({peers, joins, join, wait}) => {
          await join(); peers[0].sound = 7; await wait(8000); return joins.length; }""",
        2,
    ),
    "a connection that dies by and by while tries fail is replaced all the same": (
        """async ({live, peers, joins, join, refuse, answer, state, wait}) => {
          await join(); const me = {seat: "me", here: true};
          live.say("state", state({people: [me]})); live.say("state", state({people: [{...me, here: false}]}));
          for (const tries of [2, 3, 4, 5]) { while (joins.length < tries) await wait(20); await refuse("timeout"); }
          await wait(3000); // nothing is heard of it any more
          peers[0].become("disconnected"); await wait(100); peers[0].become("failed");
          for (let i = 0; joins.length < 6 && i < 500; i += 1) await wait(20);
          await answer(); peers.at(-1).become("connected"); return [joins.length, peers[0].closed]; }""",
        [6, True],
    ),
    "one that is about to take its place is not held to be the one that went": (
        """async ({peers, joins, join, answer, live, wait}) => {
          await join(); live.say("moved"); await wait(5); peers[0].become("disconnected"); await answer();
          peers[1].heard = async () => performance.now(); peers[1].become("connected"); await wait(4000);
          return [joins.length, peers[1].closed]; }""",
        [2, False],
    ),
    "a connection that is heard is left alone": (
        """async ({peers, joins, join, wait}) => {
          await join(); const timer = setInterval(() => (peers[0].sound += 1), 500); await wait(8000);
          clearInterval(timer); return joins.length; }""",
        1,
    ),
    "being lost by the relay is noticed": (
        """async ({live, joins, join, state, wait}) => {
          await join(); const me = {seat: "me", here: true};
          live.say("state", state({people: [me]})); live.say("state", state({people: [{...me, here: false}]}));
          await wait(20); return joins.length; }""",
        2,
    ),
    "not yet here is not lost": (
        """async ({live, joins, join, state, wait}) => {
          await join(); live.say("state", state({people: [{seat: "me", here: false}]})); await wait(20);
          return joins.length; }""",
        1,
    ),
    "people stand where the slots say": (
        """async ({live, session, join, state}) => {
          await join();
          const people = [{seat: "me", here: true}, {seat: "x", here: true}, {seat: "y", here: false}];
          live.say("state", state({people, slots: {0: "x"}}));
          const before = session.people().map((one) => [one.seat, one.receivers.audio]);
          live.say("slots", {slots: {}, screen: null});
          return [before, session.people().map((one) => [one.seat, one.receivers.audio])]; }""",
        [[["x", "a"]], [["x", None]]],
    ),
    "what is on is told when it changes, and once": (
        """async ({live, session, join}) => {
          session.setMedia({audio: true, video: true}); await join(); live.sent.length = 0;
          session.setMedia({audio: false, video: true}); session.setMedia({audio: false, video: true});
          return live.sent; }""",
        [["media", {"audio": False, "video": True}]],
    ),
    "what changed while joining is told after it": (
        """async ({live, session, joins, answer, wait}) => {
          session.setMedia({audio: true, video: true}); live.say("up"); await wait(5);
          session.setMedia({audio: true, video: false}); await answer();
          return [joins[0].fields.video, live.sent]; }""",
        [True, [["media", {"audio": True, "video": False}]]],
    ),
    "the end is the end": (
        """async ({live, peers, joins, join, state, wait, heard}) => {
          await join(); live.say("state", state({phase: "over"})); live.say("end", {code: 1000});
          live.say("up"); await wait(50); return [peers[0].closed, joins.length, heard.at(-1)]; }""",
        [True, 1, ["end", 1000, True]],
    ),
    "a shared screen is said again by the next copy": (
        """async ({live, session, peers, join, answer, wait}) => {
          await join(); await session.share("screen"); live.sent.length = 0; peers[0].become("failed"); await wait(20);
          await answer(); return live.sent; }""",
        [["share", {"on": True}]],
    ),
}


def test_a_session_comes_back_whatever_breaks(person: Callable[..., Page]) -> None:
    page = person("anybody")
    page.goto("/signin/")
    scenarios = ",".join(code for code, _ in SCENARIOS.values())

    results = page.evaluate(f"() => Promise.all([{scenarios}].map({STAGE}))")

    assert dict(zip(SCENARIOS, results, strict=True)) == {name: expected for name, (_, expected) in SCENARIOS.items()}


def test_a_camera_that_goes_off_while_it_is_put_in_stays_off(person: Callable[..., Page]) -> None:
    page = person("anybody")
    page.goto("/signin/")

    sent = page.evaluate(
        """async () => {
          const {Peer} = await import("/static/js/room/peer.js");
          const wait = (ms) => new Promise((done) => setTimeout(done, ms));
          const transceiver = () => ({
            receiver: {},
            sender: {
              track: null,
              async replaceTrack(track) { await wait(20); this.track = track; },
              getParameters: () => ({encodings: []}),
            },
          });
          const pc = {connectionState: "new", addTransceiver: transceiver, getTransceivers: () => []};
          const peer = new Peer({make: () => pc});
          const camera = () => peer.camera.sender.track;
          await peer.send({audio: null, camera: "camera", screen: null});
          const before = camera();
          pc.connectionState = "connected";
          pc.onconnectionstatechange();
          await wait(5);
          await peer.send({audio: null, camera: null, screen: null});
          await wait(50);
          const off = camera();
          await peer.send({audio: null, camera: "camera", screen: null});
          return [before, off, camera()];
        }"""
    )

    assert sent == [None, None, "camera"]


def test_lines_are_judged_by_loss_and_delay(person: Callable[..., Page]) -> None:
    page = person("anybody")
    page.goto("/signin/")

    words = page.evaluate(
        """async () => {
          const {compare, judge, measure, Steady} = await import("/static/js/room/stats.js");
          const pair = {type: "candidate-pair", nominated: true, state: "succeeded", currentRoundTripTime: 0.04};
          const report = (timestamp, packetsReceived, packetsLost) => new Map([
            ["in", {type: "inbound-rtp", packetsReceived, packetsLost, bytesReceived: packetsReceived * 100}],
            ["pair", {...pair, timestamp}],
          ]);
          const first = measure(report(0, 0, 0));
          const between = (lost, received) => judge(compare(first, measure(report(2000, received, lost))));
          const steady = new Steady();
          return {
            levels: [between(0, 1000), between(50, 950), between(200, 800)],
            slow: judge({loss: 0, rtt: 0.5, limited: false}),
            none: [measure(null), compare(null, measure(report(1, 1, 1)))],
            steady: [
              ["good", 0], ["poor", 2e3], ["good", 4e3], ["weak", 12e3], ["weak", 14e3], ["poor", 16e3], ["poor", 18e3],
              ["poor", 26e3],
            ].map(([level, at]) => steady.next(level, at)),
          };
        }"""
    )

    assert words == {
        "levels": ["good", "weak", "poor"],
        "slow": "weak",
        "none": [None, None],
        "steady": ["good", "", "", "", "weak", "", "", "poor"],
    }
