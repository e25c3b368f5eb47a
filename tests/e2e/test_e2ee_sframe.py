"""SFrame (RFC 9605) in the browsers that people have: the official vectors, replays, and the worker on real frames."""

import hmac
import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

VECTORS = Path(__file__).parents[3] / "shared" / "data" / "sframe" / "test-vectors.json"
SFRAME = 'import("/static/js/room/e2ee/sframe.js")'
GCM_SUITES = {4, 5}


@pytest.fixture(params=["person", "firefox"])
def page(request: pytest.FixtureRequest) -> Any:
    page = request.getfixturevalue(request.param)("anybody")
    page.goto("/signin/")
    return page


@pytest.fixture(scope="module")
def vectors() -> Any:
    if not VECTORS.exists():
        pytest.skip("the official vectors are not here")
    return json.loads(VECTORS.read_text())


def test_headers_are_those_of_the_vectors(page: Any, vectors: Any) -> None:
    wanted = [[str(each["kid"]), str(each["ctr"]), each["encoded"]] for each in vectors["header"]]
    assert len(wanted) > 200

    got = page.evaluate(
        f"""async (wanted) => {{
          const {{decodeHeader, encodeHeader}} = await {SFRAME};
          const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
          const bytes = (text) => Uint8Array.from(text.match(/../g), (byte) => parseInt(byte, 16));
          return wanted.map(([kid, ctr, encoded]) => {{
            const read = decodeHeader(bytes(encoded + "ffff"));
            const short = decodeHeader(bytes(encoded).subarray(0, -1));
            if (2 * read.length !== encoded.length || short !== null) return null;
            return [String(read.kid), String(read.ctr), hex(encodeHeader(BigInt(kid), BigInt(ctr)))];
          }});
        }}""",
        wanted,
    )

    assert got == wanted


def test_ciphers_are_those_of_the_vectors(page: Any, vectors: Any) -> None:
    """The suites of AES-GCM. Those of AES-CTR with HMAC are not offered."""
    cases = [each for each in vectors["sframe"] if each["cipher_suite"] in GCM_SUITES]
    assert {each["cipher_suite"] for each in cases} == GCM_SUITES

    got = page.evaluate(
        f"""async (cases) => {{
          const {{Cipher, decodeHeader, derive}} = await {SFRAME};
          const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
          const bytes = (text) => Uint8Array.from(text.match(/../g), (byte) => parseInt(byte, 16));
          const results = [];
          for (const {{cipher_suite: suite, kid, ctr, base_key: base, metadata, pt, ct}} of cases) {{
            const {{key, salt}} = await derive(bytes(base), BigInt(kid), suite);
            const cipher = await Cipher.make(bytes(base), BigInt(kid), suite);
            const sealed = await cipher.seal(BigInt(ctr), bytes(metadata), bytes(pt));
            const opened = await cipher.open(decodeHeader(bytes(ct)), bytes(metadata), bytes(ct));
            const refused = [];
            for (const at of [1, 5, bytes(ct).length - 1]) {{  // key id, ciphertext, tag
              const bad = bytes(ct);
              bad[at] ^= 1;
              const opening = cipher.open(decodeHeader(bad), bytes(metadata), bad);
              refused.push(await opening.then(() => "", (error) => error.name));
            }}
            const opening = cipher.open(decodeHeader(bytes(ct)), bytes("00"), bytes(ct));
            refused.push(await opening.then(() => "", (error) => error.name));
            results.push([hex(key), hex(salt), hex(sealed), hex(opened), refused]);
          }}
          return results;
        }}""",
        cases,
    )

    refusals = ["OperationError"] * 4
    assert got == [[each["sframe_key"], each["sframe_salt"], each["ct"], each["pt"], refusals] for each in cases]


def test_a_counter_is_taken_once_and_late_ones_too(page: Any) -> None:
    got = page.evaluate(
        """async () => {
          const {ReplayWindow} = await import("/static/js/room/e2ee/replay.js");
          const window = new ReplayWindow();
          const offer = (ctr) => {
            const fresh = window.isFresh(BigInt(ctr));
            if (fresh) window.take(BigInt(ctr));
            return fresh;
          };
          const tale = [0, 0, 5, 3, 3, 5, 4, 4200, 104, 103, 104, 4100, 4100, 100000, 4200, 95905, 95904, 95903];
          return [tale.map(offer), offer(2n ** 60n)];
        }"""
    )

    taken = [True, False, True, True, False, False, True, True, False, False, False, True, False, True, False, True]
    assert got == [[*taken, False, False], False]


# Camera and microphone of this page, over a connection with itself, through the worker of the project. `tamper` may
# change what is on the way; `count` waits until a count of the worker has grown, or says how far it came.
LOOP = """
const KEY = Uint8Array.from({length: 16}, (_, i) => i);
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const worker = (url) => new Worker(url, {type: "module"});
const counts = (of) => new Promise((done) => {
  const id = Math.random();
  of.addEventListener("message", function hear({data}) {
    if (data.id !== id) return;
    of.removeEventListener("message", hear);
    done(data.counts);
  });
  of.postMessage({type: "counts", id});
});
const grows = async (of, name, by = 10) => {
  const start = (await counts(of))[name];
  for (let i = 0; i < 300; i += 1) {
    if ((await counts(of))[name] >= start + by) return true;
    await wait(50);
  }
  return false;
};
const stands = async (of, name) => {
  const start = (await counts(of))[name];
  await wait(700);
  return (await counts(of))[name] - start <= 1;
};
const connect = async (out, into) => {
  const mine = await navigator.mediaDevices.getUserMedia({audio: true, video: true});
  const [a, b] = [new RTCPeerConnection(), new RTCPeerConnection()];
  a.onicecandidate = ({candidate}) => candidate && b.addIceCandidate(candidate);
  b.onicecandidate = ({candidate}) => candidate && a.addIceCandidate(candidate);
  // In the task in which they are made, or Chromium sends as if there were none.
  for (const track of mine.getTracks()) {
    const {sender} = a.addTransceiver(track, {direction: "sendonly"});
    sender.transform = new RTCRtpScriptTransform(out, {role: "send", kind: track.kind});
  }
  await a.setLocalDescription(await a.createOffer());
  await b.setRemoteDescription(a.localDescription);
  for (const {receiver} of b.getTransceivers()) {
    receiver.transform = new RTCRtpScriptTransform(into, {role: "receive", kind: receiver.track.kind});
  }
  await b.setLocalDescription(await b.createAnswer());
  await a.setRemoteDescription(b.localDescription);
  const decoded = async () => {
    const entries = [...(await b.getStats()).values()];
    return entries.find(({kind, framesDecoded}) => kind === "video" && framesDecoded)?.framesDecoded ?? 0;
  };
  const sees = async (more = 5) => {
    const start = await decoded();
    for (let i = 0; i < 300; i += 1) { if ((await decoded()) >= start + more) return true; await wait(50); }
    return false;
  };
  return {decoded, sees, close: () => (a.close(), b.close())};
};
const URL_OF = "/static/js/room/e2ee/worker.js";
"""


def in_loop(page: Any, scenario: str) -> Any:
    return page.evaluate(f"async () => {{ {LOOP} return await ({scenario})(); }}")


def test_frames_pass_only_by_the_rules(page: Any) -> None:
    """Nothing before the mode is known, nothing without a key, sealed with one, unchanged when encryption is off."""
    steps = in_loop(
        page,
        """async () => {
          const [out, into] = [worker(URL_OF), worker(URL_OF)];
          const line = await connect(out, into);
          const steps = {};
          steps["closed"] = [await grows(out, "closed"), await line.decoded()];
          out.postMessage({type: "mode", mode: "on"});
          into.postMessage({type: "mode", mode: "on"});
          steps["on without a key"] = [await grows(out, "noKey"), (await counts(out)).sealed, await line.decoded()];
          out.postMessage({type: "send", kid: 77n, key: KEY});
          const opened = async () => [(await counts(into)).opened, await line.decoded()];
          steps["the other has no key"] = [await grows(into, "noKey"), ...(await opened())];
          into.postMessage({type: "receive", kid: 77n, key: KEY.map((byte) => byte ^ 1)});
          steps["a wrong key"] = [await grows(into, "forged"), ...(await opened())];
          into.postMessage({type: "forget", kid: 77n});
          into.postMessage({type: "receive", kid: 77n, key: KEY});
          steps["the key"] = [await grows(into, "opened"), await line.sees()];
          out.postMessage({type: "send", kid: 78n, key: KEY.map((byte) => byte ^ 2)});
          into.postMessage({type: "receive", kid: 78n, key: KEY.map((byte) => byte ^ 2)});
          into.postMessage({type: "forget", kid: 77n});
          steps["another key"] = [await grows(into, "opened"), await line.sees()];
          out.postMessage({type: "send", kid: null, key: null});
          steps["nothing to seal with"] = [await grows(out, "noKey"), await stands(out, "sealed")];
          into.postMessage({type: "mode", mode: "off"});
          out.postMessage({type: "mode", mode: "off"});
          steps["off"] = [await grows(out, "passed"), await grows(into, "passed"), await line.sees()];
          steps["never"] = (await counts(into)).malformed;
          line.close(); out.terminate(); into.terminate();
          return steps;
        }""",
    )

    assert steps == {
        "closed": [True, 0],
        "on without a key": [True, 0, 0],
        "the other has no key": [True, 0, 0],
        "a wrong key": [True, 0, 0],
        "the key": [True, True],
        "another key": [True, True],
        "nothing to seal with": [True, True],
        "off": [True, True, True],
        "never": 0,
    }


def test_sealed_frames_are_opened_still_when_encryption_has_just_ended(page: Any) -> None:
    opened, sees, passed = in_loop(
        page,
        """async () => {
          const [out, into] = [worker(URL_OF), worker(URL_OF)];
          out.postMessage({type: "mode", mode: "on"});
          into.postMessage({type: "mode", mode: "off"});
          out.postMessage({type: "send", kid: 9n, key: KEY});
          into.postMessage({type: "receive", kid: 9n, key: KEY});
          const line = await connect(out, into);
          const result = [await grows(into, "opened"), await line.sees(), (await counts(into)).passed];
          line.close(); out.terminate(); into.terminate();
          return result;
        }""",
    )

    assert (opened, sees, passed) == (True, True, 0)


def test_a_picture_comes_at_once_with_a_key_that_is_told_before_it_is_used(page: Any) -> None:
    """Whole pictures that a page gets meanwhile are sealed with another one, so it has none to go on from."""
    dropped, opened, shown = in_loop(
        page,
        """async () => {
          const [out, into] = [worker(URL_OF), worker(URL_OF)];
          for (const each of [out, into]) each.postMessage({type: "mode", mode: "on"});
          const key = (kid) => ({kid, key: KEY.map((byte) => byte ^ Number(kid))});
          out.postMessage({type: "send", ...key(16n)});
          into.postMessage({type: "receive", ...key(16n)});
          const line = await connect(out, into);
          await line.sees();
          out.postMessage({type: "send", ...key(32n)});
          const dropped = await grows(into, "noKey", 20);
          into.postMessage({type: "receive", ...key(48n)});
          await wait(500);
          const before = await line.decoded();
          out.postMessage({type: "send", ...key(48n)});
          const opened = await grows(into, "opened", 60);
          const shown = (await line.decoded()) > before;
          line.close(); out.terminate(); into.terminate();
          return [dropped, opened, shown];
        }""",
    )

    assert (dropped, opened, shown) == (True, True, True)


def test_a_frame_that_comes_again_is_dropped(page: Any) -> None:
    """As a relay could send it: the counters of a second line are those that the first has used up."""
    opened, replayed, sees = in_loop(
        page,
        """async () => {
          const [first, second, into] = [worker(URL_OF), worker(URL_OF), worker(URL_OF)];
          for (const each of [first, second, into]) each.postMessage({type: "mode", mode: "on"});
          for (const each of [first, second]) each.postMessage({type: "send", kid: 5n, key: KEY});
          into.postMessage({type: "receive", kid: 5n, key: KEY});
          const one = await connect(first, into);
          await grows(into, "opened", 60);
          const two = await connect(second, into);
          const result = [await grows(into, "opened"), await grows(into, "replayed", 20), await one.sees()];
          one.close(); two.close();
          for (const each of [first, second, into]) each.terminate();
          return result;
        }""",
    )

    assert (opened, replayed, sees) == (True, True, True)


def test_a_receiver_follows_the_steps_of_a_key_and_no_further(page: Any) -> None:
    """On from where it was told, never back, and never into the next key, whatever a frame says."""
    steps = in_loop(
        page,
        """async () => {
          const {ratchet, STEPS} = await import("/static/js/room/e2ee/sframe.js");
          const keys = [KEY];
          while (keys.length <= STEPS) keys.push(await ratchet(keys.at(-1)));
          const first = 80n * BigInt(STEPS);
          const [out, into] = [worker(URL_OF), worker(URL_OF)];
          for (const each of [out, into]) each.postMessage({type: "mode", mode: "on"});
          const send = (step) => out.postMessage({type: "send", kid: first + BigInt(step), key: keys[step]});
          const told = (step) => ({kid: first + BigInt(step), key: keys[step]});
          into.postMessage({type: "receive", ...told(2)});
          const line = await connect(out, into);
          const steps = {};
          for (const step of [2, 3, 7, STEPS - 1]) {
            send(step);
            await wait(300);
            steps[step] = [await grows(into, "opened"), await line.sees()];
          }
          for (const step of [1, STEPS]) {
            send(step);
            steps[step] = [await grows(into, "noKey"), await stands(into, "opened")];
          }
          send(4);
          await grows(into, "opened");
          into.postMessage({type: "receive", ...told(5)});
          into.postMessage({type: "forget", kid: told(2).kid});
          steps["forgotten"] = [await grows(into, "noKey"), await stands(into, "opened")];
          send(6);
          steps["kept"] = [await grows(into, "opened"), await line.sees(), (await counts(into)).forged];
          line.close(); out.terminate(); into.terminate();
          return steps;
        }""",
    )

    assert steps == {
        **{str(step): [True, True] for step in (1, 2, 3, 7, 15, 16)},
        "forgotten": [True, True],
        "kept": [True, True, 0],
    }


def test_a_frame_that_comes_again_is_dropped_whatever_is_told_of_its_key(page: Any) -> None:
    """A receiver that followed by itself is told of that very step later, and does not take it for another key."""
    opened, replayed = in_loop(
        page,
        """async () => {
          const {ratchet} = await import("/static/js/room/e2ee/sframe.js");
          const next = await ratchet(KEY);
          const [first, second, into] = [worker(URL_OF), worker(URL_OF), worker(URL_OF)];
          for (const each of [first, second, into]) each.postMessage({type: "mode", mode: "on"});
          for (const each of [first, second]) each.postMessage({type: "send", kid: 33n, key: next});
          into.postMessage({type: "receive", kid: 32n, key: KEY});
          const one = await connect(first, into);
          const opened = await grows(into, "opened", 60);
          one.close();
          into.postMessage({type: "receive", kid: 33n, key: next});
          into.postMessage({type: "forget", kid: 32n});
          const two = await connect(second, into);
          const replayed = await grows(into, "replayed", 20);
          two.close();
          for (const each of [first, second, into]) each.terminate();
          return [opened, replayed];
        }""",
    )

    assert (opened, replayed) == (True, True)


def test_a_key_is_not_taken_into_use_twice(page: Any) -> None:
    """Its counter would begin anew, and two frames be sealed with one nonce. Nothing is sealed any more then."""
    error, stands = in_loop(
        page,
        """async () => {
          const [out, into] = [worker(URL_OF), worker(URL_OF)];
          for (const each of [out, into]) each.postMessage({type: "mode", mode: "on"});
          out.postMessage({type: "send", kid: 40n, key: KEY});
          const line = await connect(out, into);
          await grows(out, "sealed");
          const failed = new Promise((done) => {
            out.addEventListener("message", ({data}) => data.type === "error" && done(true));
          });
          for (const [kid, key] of [[41n, KEY.map((byte) => byte ^ 1)], [null, null], [40n, KEY]]) {
            out.postMessage({type: "send", kid, key});
          }
          const result = [await failed, await stands(out, "sealed")];
          line.close(); out.terminate(); into.terminate();
          return result;
        }""",
    )

    assert (error, stands) == (True, True)


def test_a_step_is_what_the_rfc_says(page: Any) -> None:
    """§5.1, against HKDF by hand."""
    key = bytes(range(32))
    secret = hmac.digest(b"", key, "sha256")
    expected = hmac.digest(secret, b"SFrame 1.0 Ratchet\x01", "sha256")

    got = page.evaluate(f"async (key) => [...await (await {SFRAME}).ratchet(Uint8Array.from(key))]", list(key))

    assert bytes(got) == expected
