/**
 * Being in the call: joins, stays, and comes back by itself. Knows no page.
 *
 * Whatever happens to the media - a changed network, a woken phone, a dead relay - is met by the same step: a new
 * connection that joins with the next epoch and takes the seat from the old one. A socket that was lost while the
 * media flow is no such thing: the new one takes the copy up as it is.
 *
 * Events: "phase" (`detail`: joining, connected, resuming, blocked, unavailable, busy, full, encryption-required,
 * encryption-undecided; all but "connected" go on trying, the last two when a clinician has turned encryption off),
 * "state" (the protocol's), "view" (who is where changed: ask `people()`, `screen()`), "security" (that of
 * e2ee/security.js), "end" (`detail.code`, `detail.reason`, `detail.over`).
 */

import {isAble, Security} from "./e2ee/security.js";
import {Peer} from "./peer.js";
import {Pulse} from "./pulse.js";
import {Roster} from "./roster.js";

const GRACE = 3000; // "disconnected" may mend itself
const CONNECT_WITHIN = 8000;
const LEAVE_WITHIN = 800;
const TAKE_UP_AGAIN = 2000;
const BACKOFF = [0, 500, 1000, 2000, 4000, 8000];
const BLOCKED_AFTER = 3; // tries that were answered, yet nothing came through
const UNAVAILABLE_AFTER = 3; // tries that were not
const NOTHING = {audio: null, camera: null, screen: null};

export class Session extends EventTarget {
  #live;
  #makePeer;
  #security;
  #peer = null; // the one that carries the call
  #next = null; // the one that is about to
  #old = null; // the one that goes on at another relay until #peer carries
  #iceServers = []; // by which the relay is reached where nothing else passes; the socket's welcome names them
  #epoch = 0; // of #peer
  #isIn = false; // this socket is that of a copy in the call
  #dead = null; // a connection that is to be replaced, whatever its state says
  #phase = "";
  #tracks = {audio: null, camera: null, screen: null};
  #media = {audio: false, video: false};
  #sharing = false;
  #heights = {}; // of the pictures as the page shows them, by slot index
  #roster = new Roster();
  #pulse;
  #failures = 0;
  #unanswered = 0;
  #timer = 0;
  #resuming = false; // a try is due
  #leaving = false;
  #ended = false;

  constructor(live, {makePeer = (transforms, iceServers) => new Peer({transforms, iceServers})} = {}) {
    super();
    this.#live = live;
    this.#security = new Security({send: (data) => this.#isIn && live.send("e2ee", {to: null, data})});
    this.#security.addEventListener("change", ({detail}) => {
      this.#send().catch(() => {}); // nothing, when it is halted
      this.#tell("security", detail);
    });
    this.#makePeer = () => makePeer(this.#security.transform, this.#iceServers);
    live.addEventListener("e2ee", ({detail}) => this.#security.hear(detail));
    live.addEventListener("down", () => (this.#isIn = false));
    live.addEventListener("up", ({detail}) => {
      this.#iceServers = detail?.ice_servers ?? [];
      this.#onUp();
    });
    live.addEventListener("moved", () => this.#move());
    live.addEventListener("state", ({detail}) => this.#onState(detail));
    live.addEventListener("slots", ({detail}) => {
      this.#roster.place(detail);
      this.#tell("view");
    });
    live.addEventListener("end", ({detail}) => this.#finish(detail.code, detail.reason));
    this.#enter("joining");
    this.#pulse = new Pulse(
      () => this.#peer,
      (peer) => peer === this.#peer && this.#resume(),
    );
  }

  get phase() {
    return this.#phase;
  }

  /** Sends these tracks from now on, over every connection to come. */
  async setTracks(tracks) {
    this.#tracks = {...this.#tracks, ...tracks};
    await this.#send();
  }

  /** Tells the others whether microphone and camera are on. */
  setMedia({audio, video}) {
    if (audio === this.#media.audio && video === this.#media.video) return;
    this.#media = {audio, video};
    if (this.#peer) this.#live.send("media", this.#media);
  }

  /** Shows a screen to everybody, or takes it away with null. */
  async share(track) {
    await this.setTracks({screen: track});
    this.#sharing = track !== null;
    this.#live.send("share", {on: this.#sharing});
  }

  /** Says how large the page shows the pictures (sizes.js): slot index → height, 0 for hidden. */
  prefer(heights) {
    this.#heights = {...this.#heights, ...heights};
    if (this.#isIn) this.#live.send("sizes", {heights});
  }

  /** What is encrypted, and the words to compare: e2ee/security.js. */
  get security() {
    return this.#security.state;
  }

  /** What became of the frames, for statistics; null where none can be encrypted. */
  frames() {
    return this.#security.counts();
  }

  /** The others who are here: the protocol's fields, and their `receivers`. */
  people() {
    return this.#roster.people(this.#peer);
  }

  /** Who shows their screen: {seat, receiver}, or null. */
  screen() {
    return this.#roster.screen(this.#peer);
  }

  async stats() {
    return this.#peer?.state === "connected" ? this.#peer.pc.getStats() : null;
  }

  /** How loud the others are: seat → 0 to 1. */
  levels() {
    return new Map(this.people().map(({seat, receivers}) => [seat, loudness(receivers.audio)]));
  }

  /** The page is looked at again, or the network changed: see what is left of the line. */
  wake() {
    this.#live.wake();
    if (this.#peer && this.#peer.state !== "connected" && this.#peer.state !== "connecting") this.#resume();
  }

  /** Leaves for good; resolves when the server has heard it, or soon without. */
  async leave() {
    this.#leaving = true;
    const heard = new Promise((done) => {
      this.#live.addEventListener("end", done, {once: true});
      setTimeout(done, LEAVE_WITHIN);
    });
    this.#live.send("leave");
    await heard;
    this.#finish(1000);
  }

  // --- joining ----------------------------------------------------------------------------------

  /** What may leave the page now. */
  get #outgoing() {
    return this.#security.state.halted ? NOTHING : this.#tracks;
  }

  async #send() {
    await Promise.all([this.#peer, this.#next, this.#old].map((peer) => peer?.send(this.#outgoing)));
  }

  /** Makes the next connection and its offer. */
  #prepare() {
    const peer = this.#makePeer();
    peer.offered = peer.send(this.#outgoing).then(() => peer.offer());
    peer.offered.catch(() => {});
    this.#next = peer;
  }

  #onUp() {
    const peer = this.#peer;
    if (peer?.state === "connected" && peer !== this.#dead) this.#takeUp(peer);
    else this.#join();
  }

  /** The media flow, only the socket is new: it takes the copy up as it is. */
  async #takeUp(peer) {
    try {
      await this.#live.request("resume", {epoch: this.#epoch});
      this.#speak();
      this.#live.send("media", this.#media);
      this.#live.send("share", {on: this.#sharing});
    } catch ({code}) {
      if (code === "lost" || this.#ended || peer !== this.#peer) return;
      if (this.#next || this.#resuming) return; // a new copy joins already, which is why this one was refused
      clearTimeout(this.#timer);
      if (code === "not-joined" || code === "not-open") this.#join();
      else this.#timer = setTimeout(() => this.#onUp(), TAKE_UP_AGAIN);
    }
  }

  async #join() {
    if (this.#ended) return;
    this.#resuming = false;
    clearTimeout(this.#timer);
    if (!this.#next) this.#prepare();
    const peer = this.#next;
    try {
      const joined = await this.#ask(peer);
      if (peer !== this.#next) return;
      await peer.accept(joined);
      this.#take(peer);
    } catch (error) {
      if (peer === this.#next) this.#retry(error);
    }
  }

  async #ask(peer) {
    const media = this.#media;
    const wishes = {sdp: await peer.offered, ...media, e2ee: isAble};
    const joined = await this.#live.request("join", wishes, {within: CONNECT_WITHIN});
    this.#epoch = joined.epoch;
    this.#speak();
    if (media !== this.#media) this.#live.send("media", this.#media);
    if (this.#sharing) this.#live.send("share", {on: true});
    return joined;
  }

  /** This socket may pass on what pages say to each other about keys. */
  #speak() {
    this.#isIn = true;
    this.#security.joined();
    if (Object.keys(this.#heights).length) this.#live.send("sizes", {heights: this.#heights});
  }

  /** The call goes on at another relay. Whoever is still at the old one sees us there until the new one carries. */
  #move() {
    if (this.#ended || this.#next || !this.#peer) return;
    this.#old?.close();
    this.#old = this.#peer;
    this.#failures = 0;
    this.#join();
  }

  /** The new connection carries the call; the relay has let go of the old one already, unless it is another. */
  #take(peer) {
    if (this.#peer !== this.#old) this.#peer?.close();
    this.#peer = peer;
    this.#next = null;
    peer.addEventListener("change", () => this.#onConnection(peer));
    this.#timer = setTimeout(() => this.#onSilence(peer), CONNECT_WITHIN);
    this.#onConnection(peer);
    this.#reach();
    this.#tell("view");
  }

  #reach() {
    this.#peer?.reach?.(this.people().length);
  }

  #retry(error) {
    this.#next?.close();
    this.#next = null;
    if (error.code === "lost") return; // the next "up" joins
    if (error.code === "encryption-required" || error.code === "encryption-undecided") {
      return this.#enter(error.code); // the state says when that has changed
    }
    if (error.code === "not-open") {
      this.#live.resync(); // it says where to go instead
    } else if (error.code === "room-full") {
      this.#enter("full");
      this.#failures = BACKOFF.length; // no need to hurry
    } else if (error.code === "relay-full") {
      this.#enter("busy");
      this.#failures = Math.max(this.#failures, 2);
    } else if (this.#failures >= UNAVAILABLE_AFTER) {
      this.#enter("unavailable");
    }
    this.#again();
  }

  #again() {
    clearTimeout(this.#timer);
    const wait = BACKOFF[Math.min(this.#failures, BACKOFF.length - 1)];
    this.#failures += 1;
    if (this.#phase === "connected") this.#enter("resuming");
    this.#resuming = true;
    this.#timer = setTimeout(() => {
      this.#resuming = false;
      if (this.#live.isUp) this.#join();
      else this.#live.wake();
    }, wait);
  }

  // --- staying ----------------------------------------------------------------------------------

  #onConnection(peer) {
    if (peer !== this.#peer || this.#ended) return;
    if (peer.state === "connected") {
      clearTimeout(this.#timer);
      this.#resuming = false;
      this.#failures = this.#unanswered = 0;
      this.#old?.close();
      this.#old = null;
      this.#enter("connected");
    } else if (peer.state === "disconnected") {
      if (this.#next || this.#resuming) return; // or the try that is due would be put off, and none follow
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#resume(), GRACE);
    } else if (peer.state === "failed" || peer.state === "closed") {
      this.#resume();
    }
  }

  #onSilence(peer) {
    if (peer !== this.#peer || peer.state === "connected") return;
    this.#unanswered += 1;
    if (this.#unanswered >= BLOCKED_AFTER) this.#enter("blocked");
    this.#resume();
  }

  #resume() {
    this.#dead = this.#peer;
    if (this.#ended || this.#next || this.#resuming) return;
    this.#again();
  }

  #onState(state) {
    const isLost = this.#roster.take(state);
    this.#security.take(state);
    this.#tell("state", state);
    this.#reach();
    this.#tell("view");
    if (this.#phase.startsWith("encryption-") && state.encryption.mode === "off") {
      this.#enter("joining");
      this.#join();
    }
    if (isLost && this.#phase === "connected") this.#resume();
  }

  #finish(code, reason = "") {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#pulse.stop();
    this.#security.close();
    this.#peer?.close();
    this.#next?.close();
    this.#old?.close();
    this.#peer = this.#next = this.#old = null;
    if (!this.#leaving) this.#tell("end", {code, reason, over: this.#roster.state?.phase === "over"});
  }

  #enter(phase) {
    if (phase === this.#phase) return;
    this.#phase = phase;
    this.#tell("phase", phase);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, {detail}));
  }
}

function loudness(receiver) {
  return receiver?.getSynchronizationSources?.()[0]?.audioLevel ?? 0;
}
