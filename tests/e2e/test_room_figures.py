"""The room's modules for figures: what a page tells of its line, and how the line of each person is drawn."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.e2e

REPORTS = """async () => {
  const {measure, report} = await import("/static/js/room/stats.js");
  const look = (timestamp, video) => measure(new Map([
    ["pair", {type: "candidate-pair", nominated: true, state: "succeeded", currentRoundTripTime: 0.0416, timestamp}],
    ["a", {
      type: "inbound-rtp", kind: "audio",
      concealedSamples: 5 * timestamp, silentConcealedSamples: 4 * timestamp, totalSamplesReceived: 48 * timestamp,
    }],
    ["v", {type: "inbound-rtp", kind: "video", ...video}],
  ]));
  const small = {frameWidth: 640, frameHeight: 360}, large = {frameWidth: 1280, frameHeight: 720};
  const first = look(1000, {...small, freezeCount: 1, totalFreezesDuration: 0.5, framesDecoded: 10, framesDropped: 1});
  const then = look(6000, {...large, freezeCount: 3, totalFreezesDuration: 1.7, framesDecoded: 160, framesDropped: 1});
  return [report(null, first), report(first, then), report(then, look(11000, small)).freezes];
}"""

LINES = """async () => {
  const {Lines} = await import("/static/js/room/lines.js");
  const part = document.createElement("section");
  part.innerHTML = `<ul></ul><template><li><b class="line-who"></b><svg><path class="line-loss"/>
    <path class="line-trip"/><path class="line-rate"/></svg><span class="line-text"></span></li></template>`;
  const words = {you: "You", now: "{up}, {down}, {loss}", nowAnswering: "{up}, {down}, {loss}, {trip}"};
  const lines = new Lines(part.firstElementChild, part.lastElementChild, words);
  const person = (seat, here = true) => ({seat, name: seat.toUpperCase(), here});
  const stream = (sender, receiver, bitrate, loss, round_trip) => ({sender, receiver, bitrate, loss, round_trip});
  const state = {you: "me", people: [person("me"), person("ana"), person("gone", false)]};
  const read = () => [...part.querySelectorAll("li")].map((row) => [...row.querySelectorAll("b, span")]
    .map((each) => each.textContent).join(": "));
  lines.show([stream("me", null, 1_250_000, 0), stream("ana", "me", 40_000, 0.03, 0.0512)], state);
  const before = read();
  lines.show([stream("me", null, 1_250_000, 0), stream("ana", "me", 40_000, null, null)], state);
  const paths = [...part.querySelectorAll("li:first-child path")].map((path) => path.getAttribute("d"));
  const after = read();
  for (let i = 0; i < 100; i += 1) lines.show([stream("me", null, 1, 0)], state);
  const points = part.querySelector(".line-rate").getAttribute("d").match(/[ML]-?[0-9]+/g);
  lines.show([], {you: "me", people: [person("me")]});
  return {before, after, paths, points: points.length, first: points[0], left: read().length};
}"""


def test_a_page_tells_what_grew_in_whole_numbers(person: Callable[..., Page]) -> None:
    page = person("anybody")
    page.goto("/signin/")

    grew = {"freezes": 2, "frozen": 1200, "concealed": 104, "heard": 5000, "decoded": 150, "dropped": 0}
    told = {"span": 5000, "round_trip": 42, "width": 1280, "height": 720, **grew}
    assert page.evaluate(REPORTS) == [None, told, 0]  # after a new connection the counters begin anew


def test_a_line_is_drawn_within_its_picture_and_said_in_words(person: Callable[..., Page]) -> None:
    page = person("anybody")
    page.goto("/signin/")

    found = page.evaluate(LINES)

    assert found["before"] == ["You: 1.3 Mbit/s, 40 kbit/s, 3 %, 51 ms", "ANA: 0 kbit/s, 0 kbit/s, 0 %"]
    assert found["after"][0] == "You: 1.3 Mbit/s, 40 kbit/s, 0 %"
    assert found["paths"][0] == "M118 32V27.2"  # a second ago something was lost
    assert found["paths"][1] == "M118 28.7"  # and an answer came; now nobody knows
    assert (found["points"], found["first"], found["left"]) == (60, "M0", 1)
