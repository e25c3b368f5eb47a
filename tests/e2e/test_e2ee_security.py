"""What a page shows of its encryption, and does, as the server's states and other pages come: security.js by itself."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.e2e

# Two pages of a call in one: `a` and `b`, who hear each other. `tell` gives both the server's state.
STAGE = """async () => {
  const {Security} = await import("/static/js/room/e2ee/security.js");
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const make = (seat, to, language) => {
    const modes = [];
    const security = new Security({send: (data) => to()?.hear({from: seat, epoch: 1, data}), language});
    security.addEventListener("change", ({detail}) => detail.mode !== modes.at(-1) && modes.push(detail.mode));
    return Object.assign(security, {seat, modes});
  };
  const encryption = (more = {}) => ({policy: "preferred", mode: "on", unable: [], by: null, ...more});
  const state = (you, here = ["a", "b"], more = {}) =>
    ({you, people: ["a", "b", "c"].map((seat) => ({seat, here: here.includes(seat)})), encryption: encryption(more)});
  const a = make("a", () => b, "en"), b = make("b", () => a, "es");
  const tell = (here, more) => { for (const each of [a, b]) each.take(state(each.seat, here, more)); };
  const until = async (test) => { for (let i = 0; i < 400 && !test(); i += 1) await wait(25); return test(); };
  const on = () => until(() => a.state.mode === "on" && b.state.mode === "on");
  const result = await (%s)();
  a.close(); b.close();
  return result;
}"""


@pytest.fixture(params=["person", "firefox"])
def play(request: pytest.FixtureRequest) -> Callable[[str], Any]:
    page: Page = request.getfixturevalue(request.param)("anybody")
    page.goto("/signin/")
    return lambda scenario: page.evaluate(STAGE.replace("%s", scenario))


def test_two_pages_come_to_the_same_words(play: Callable[[str], Any]) -> None:
    agreed, mine, theirs, reason, modes = play(
        """async () => {
          tell();
          return [await on(), a.state.words, b.state.words, a.state.reason, a.modes];
        }"""
    )

    assert agreed
    assert [word.split(" / ") for word in mine] == [word.split(" / ")[::-1] for word in theirs]
    assert len(mine) == 4
    assert reason == ""
    assert modes[-1] == "on"
    assert "off" not in modes


def test_only_the_servers_word_turns_it_off_and_that_shows(play: Callable[[str], Any]) -> None:
    before, off, words = play(
        """async () => {
          await wait(300);
          const before = a.state.mode;
          tell();
          await on();
          b.close();
          for (const data of ["", "{}", '{"mode": "off"}', null]) a.hear({from: "b", epoch: 2, data});
          await wait(500);
          const still = a.state.mode;
          tell(["a", "b"], {mode: "off", by: "Dr. X"});
          return [[before, still], a.state.mode, a.state.words];
        }"""
    )

    assert before == ["agreeing", "on"]
    assert off == "off"
    assert words == []


def test_where_it_is_required_the_server_cannot_turn_it_off(play: Callable[[str], Any]) -> None:
    assert play(
        """async () => {
          tell(["a", "b"], {policy: "required"});
          await on();
          for (const policy of ["required", "preferred", "off"]) tell(["a", "b"], {policy, mode: "off"});
          await wait(500);
          return [a.state.mode, b.state.mode, a.modes.includes("off")];
        }"""
    ) == ["on", "on", False]


def test_who_is_alone_and_who_cannot_are_named(play: Callable[[str], Any]) -> None:
    alone, unable = play(
        """async () => {
          tell(["a"]);
          await until(() => a.state.mode === "alone");
          const alone = a.state.mode;
          tell(["a", "b", "c"], {unable: ["c"]});
          await on();
          return [alone, a.state];
        }"""
    )

    assert alone == "alone"
    assert (unable["mode"], unable["unable"]) == ("on", ["c"])


def test_a_worker_that_fails_is_shown(play: Callable[[str], Any]) -> None:
    """Frames wait in it for ever then; nothing leaves the page."""
    assert (
        play(
            """async () => {
          tell();
          await on();
          const Real = globalThis.Worker;
          globalThis.Worker = class extends Real { constructor() { super("/static/js/room/e2ee/none.js"); } };
          const c = make("c", () => null, "en");
          globalThis.Worker = Real;
          c.take(state("c"));
          await until(() => c.state.mode === "broken");
          return c.state.mode;
        }"""
        )
        == "broken"
    )


def test_nothing_has_failed_before_the_page_is_in_the_call(play: Callable[[str], Any]) -> None:
    """A busy relay may let it wait for longer than an agreement takes."""
    assert play(
        """async () => {
          const [c, d] = ["c", "d"].map((seat) => make(seat, () => null, "en"));
          c.take(state("c", ["a", "b"]));
          d.take({...state("d"), people: ["a", "d"].map((seat) => ({seat, here: true}))});
          for (let i = 0; i < 3 && d.state.mode !== "broken"; i += 1) await until(() => d.state.mode === "broken");
          c.close(); d.close();
          return [c.state.mode, d.state.mode];
        }"""
    ) == ["agreeing", "broken"]


# Camera and microphone of this page, sent to a connection beside it; `put` has the transceivers.
CONNECT = """
  const connect = async (put) => {
    const mine = await navigator.mediaDevices.getUserMedia({audio: true, video: true});
    const [one, two] = [new RTCPeerConnection(), new RTCPeerConnection()];
    one.onicecandidate = ({candidate}) => candidate && two.addIceCandidate(candidate);
    two.onicecandidate = ({candidate}) => candidate && one.addIceCandidate(candidate);
    for (const track of mine.getTracks()) put(one.addTransceiver(track, {direction: "sendonly"}));
    await one.setLocalDescription(await one.createOffer());
    await two.setRemoteDescription(one.localDescription);
    await two.setLocalDescription(await two.createAnswer());
    await one.setRemoteDescription(two.localDescription);
    return () => { one.close(); two.close(); for (const track of mine.getTracks()) track.stop(); };
  };
"""


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_frames_that_leave_past_the_worker_are_found(play: Callable[[str], Any], kind: str) -> None:
    """As a browser does that takes no notice of the transform."""
    sound, past, off = play(
        f"""async () => {{
          {CONNECT}
          tell(["a"]);
          const ends = [await connect(a.transform)];
          const isFound = () => until(() => a.state.mode === "broken" && a.state.halted);
          await wait(4500);
          const sound = [a.state.mode, a.state.halted, (await a.counts()).sealed > 20];
          ends.push(await connect((transceiver) => {{
            a.transform(transceiver);
            if (transceiver.sender.track.kind === "{kind}") transceiver.sender.transform = null;
          }}));
          const past = await isFound();
          tell(["a"], {{mode: "off"}});
          const off = [a.state.mode, a.state.halted];
          for (const end of ends) end();
          return [sound, past, off];
        }}"""
    )

    assert sound == ["alone", False, True]
    assert past is True
    assert off == ["off", False]


def test_connections_that_are_over_are_no_finding(play: Callable[[str], Any]) -> None:
    """Nor one that sends nothing."""
    assert play(
        f"""async () => {{
          {CONNECT}
          tell(["a"]);
          for (let i = 0; i < 3; i += 1) {{
            const end = await connect(a.transform);
            await wait(1300);
            end();
          }}
          await wait(2500);
          return [a.state.mode, a.state.halted];
        }}"""
    ) == ["alone", False]
