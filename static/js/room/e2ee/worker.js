/**
 * The worker through which every encoded frame of the page passes: sealed on the way out, opened on the way in.
 *
 * Told by security.js: {type: "mode", mode}, {type: "send", kid, key} (key null: nothing), {type: "receive", kid, key},
 * {type: "forget", kid}, {type: "counts", id}. Until it knows the mode, and in mode "on" without a key, nothing passes
 * either way.
 *
 * A sealed frame: clear bytes, SFrame header, ciphertext and tag. VP8 keeps what the packetizer and the relay read
 * (RFC 7741: whether it is a key frame, and its size); sound keeps nothing. The clear bytes are authenticated.
 */

import {ReplayWindow} from "./replay.js";
import {Cipher, decodeHeader, joined, ratchet, STEPS} from "./sframe.js";

const KEY_FRAME_CLEAR = 10;
const DELTA_FRAME_CLEAR = 3;
const TAG = 16;
const WINDOWS = 256 * STEPS;
const KINDS = {audio: Uint8Array.of(1), video: Uint8Array.of(2)};

const counts = {sealed: 0, opened: 0, passed: 0, closed: 0, noKey: 0, replayed: 0, forged: 0, malformed: 0};
const spent = {seal: 0, open: 0, longest: 0}; // ms

let mode = "closed"; // or "on", "off"
let sender = null; // {cipher, ctr}: one counter for all streams and layers, so that no nonce is used twice
const used = new Set(); // kids sealed with: none comes again, or its counter would begin anew
const receivers = new Map(); // kid as told → Map of kid → Cipher: that one, and the steps that follow from it
const windows = new Map(); // kid → ReplayWindow; outlives its key, so that one that comes back brings no replays
const seen = new Map(); // name of a sender → frames that came from it, for guard.js
const cameras = new Set(); // the transformers of what pictures are sent

// --- what the page tells --------------------------------------------------------------------------

const orders = {
  mode: (order) => {
    if (mode === order.mode) return;
    mode = order.mode;
    beginPictures();
  },
  send: async ({kid, key}) => {
    const waited = sender === null;
    if (key && used.has(kid)) throw new Error("this key has been in use");
    used.add(kid);
    sender = key && {cipher: await Cipher.make(key, kid), ctr: 0n};
    if (waited && sender) beginPictures();
  },
  receive: async ({kid, key}) => {
    receivers.set(kid, await ladder(kid, key));
    for (const step of receivers.get(kid).keys()) if (!windows.has(step)) windows.set(step, new ReplayWindow());
    for (const old of windows.keys()) if (windows.size > WINDOWS && !receiver(old)) windows.delete(old);
  },
  forget: ({kid}) => receivers.delete(kid),
  counts: ({id}) => postMessage({type: "counts", id, counts: {...counts}, spent: {...spent}, keys: receivers.size, seen: Object.fromEntries(seen)}),
};

let turn = Promise.resolve(); // making a key takes a moment: one order after the other
onmessage = ({data}) => {
  turn = turn.then(() => orders[data.type](data)).catch((error) => {
    sender = null; // the next key did not come about, and the last one may be no secret any more
    postMessage({type: "error", text: String(error)});
  });
};

/**
 * The ciphers of all steps that a sender may move on to, at once: so they can do it without a message, and no KID in a
 * frame makes us derive anything.
 */
async function ladder(kid, key) {
  const ciphers = [];
  for (let step = kid, base = key; ; step += 1n, base = await ratchet(base)) {
    ciphers.push(Cipher.make(base, step));
    if ((step + 1n) % BigInt(STEPS) === 0n) break;
  }
  return new Map((await Promise.all(ciphers)).map((cipher) => [cipher.kid, cipher]));
}

function receiver(kid) {
  for (const ciphers of receivers.values()) if (ciphers.has(kid)) return ciphers.get(kid);
  return null;
}

// --- frames ---------------------------------------------------------------------------------------

onrtctransform = ({transformer}) => {
  const {role, kind, name} = transformer.options;
  const state = {transformer, lacking: false}; // whether a frame was dropped that somebody has the key of
  if (role === "send" && kind === "video") cameras.add(transformer);
  const work = role === "send" ? seal : open;
  if (role === "send") seen.set(name, 0);
  const through = new TransformStream({
    transform: async (frame, controller) => {
      if (role === "send") seen.set(name, seen.get(name) + 1);
      const start = performance.now();
      const data = await work(new Uint8Array(frame.data), kind, state).catch(() => drop("malformed"));
      const took = performance.now() - start;
      spent[role === "send" ? "seal" : "open"] += took;
      spent.longest = Math.max(spent.longest, took);
      if (data === null) return;
      if (data !== SAME) frame.data = data.buffer;
      controller.enqueue(frame);
    },
  });
  // Ends with its connection.
  const end = () => (cameras.delete(transformer), seen.delete(name));
  transformer.readable.pipeThrough(through).pipeTo(transformer.writable).catch(() => {}).finally(end);
};

const SAME = Symbol("unchanged");

/** The frame to send, or null for none. */
async function seal(data, kind) {
  if (mode === "off") return pass();
  if (mode !== "on") return drop("closed");
  if (sender === null) return drop("noKey");
  const clear = clearBytes(data, kind);
  if (data.length < clear) return drop("malformed");
  const {cipher, ctr} = sender;
  sender.ctr += 1n;
  const head = data.subarray(0, clear);
  const sealed = await cipher.seal(ctr, joined(KINDS[kind], head), data.subarray(clear));
  counts.sealed += 1;
  return joined(head, sealed);
}

/** The frame to decode, or null for none. */
async function open(data, kind, state) {
  if (mode === "closed") return drop("closed");
  const clear = clearBytes(data, kind);
  const body = data.subarray(Math.min(clear, data.length));
  const header = decodeHeader(body);
  const cipher = header && receiver(header.kid);
  // When encryption ends, sealed frames are on the way still: a decoder must not get them as they are.
  if (!cipher && mode === "off") return pass();
  if (!header || body.length < header.length + TAG) return drop("malformed");
  if (!cipher) {
    state.lacking = true;
    return drop("noKey");
  }
  const window = windows.get(header.kid);
  if (!window?.isFresh(header.ctr)) return drop("replayed");
  const head = data.subarray(0, clear);
  let plain;
  try {
    plain = await cipher.open(header, joined(KINDS[kind], head), body);
  } catch {
    return drop("forged");
  }
  // Asked again: the same frame may have come over another slot meanwhile.
  if (!window.isFresh(header.ctr)) return drop("replayed");
  window.take(header.ctr);
  counts.opened += 1;
  if (state.lacking) {
    state.lacking = false;
    if (clear === DELTA_FRAME_CLEAR) askForPicture(state.transformer);
  }
  return joined(head, plain);
}

function clearBytes(data, kind) {
  if (kind !== "video") return 0;
  return data[0] & 1 ? DELTA_FRAME_CLEAR : KEY_FRAME_CLEAR;
}

function pass() {
  counts.passed += 1;
  return SAME;
}

function drop(cause) {
  counts[cause] += 1;
  return null;
}

/** Nothing that left before can be shown: the relay asks for a whole picture, too, but this is sooner. */
function beginPictures() {
  for (const camera of cameras) camera.generateKeyFrame?.().catch(() => {}); // nothing is being sent there
}

/**
 * What was dropped for want of a key is missing to the frames that follow, and a browser asks only after seconds. Not
 * when the key comes: its sender may go on with another one for a moment, and the whole picture would be dropped, too.
 */
function askForPicture(transformer) {
  transformer.sendKeyFrameRequest?.().catch(() => {}); // the connection is closed
}
