/**
 * A socket that stays: visits/live/PROTOCOL.md from the client's side. Knows no page.
 *
 *   const live = new Live(socketUrl("/ws/board/"));
 *   live.addEventListener("state", ({detail}) => show(detail));
 *   const answer = await live.request("join", {sdp, audio: true, video: true});
 *
 * Events: one for each message type of the server ("state", "joined", "error", …; `detail` is the message),
 * and "up" (welcomed), "down" (lost; trying again), "end" (`detail.code`, `detail.reason`: closed for good, no more tries),
 * "outdated" (the server speaks another version: load the page again).
 */

import {fetchTicket} from "./ticket.js";

const VERSION = 2;
const SUBPROTOCOL = "telehealth";
/** Closed for good: over, not allowed, no such visit, a newer copy has the seat. */
export const FINAL_CODES = new Set([1000, 4401, 4404, 4409]);
const TOO_MANY_REFUSALS = 4429;

const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;
/** A room keeps who lost their socket for 45 s: for so long, and longer, there is a try every few seconds. */
const EAGER_WAIT = 4000;
const EAGER_FOR = 60_000;
/**
 * A try that hangs where a line swallows everything is given up; later ones have half the time since the loss, for slow
 * lines and because Firefox itself holds tries back for up to that long (RFC 6455 section 7.2.3).
 */
const OPEN_WITHIN = 6000;
const OPEN_AT_LAST = 30_000;
const PING_EVERY = 15_000;
const ANSWER_WITHIN = 10_000;
const ASK_AGAIN = 1000;
/** The server restarts: everybody is back, and not all at the same moment. */
const RESTARTS = new Set([1001, 1012, 1013]);
const RESTART_SPREAD = 3000;

/** The ws(s) address of a path on the page's own host. */
export function socketUrl(path, base = globalThis.location.href) {
  const url = new URL(path, base);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/** A request that was not answered as wished; `code` is one of the protocol's, "lost" or "timeout". */
export class LiveError extends Error {
  constructor(code, message = code) {
    super(message);
    this.name = "LiveError";
    this.code = code;
  }
}

export class Live extends EventTarget {
  #url;
  #make;
  #ticket;
  #fetching = null; // what gives the ticket's request up, while it goes on
  #socket = null;
  #id = 0;
  #seq = 0;
  #heard = 0;
  #tries = 0;
  #lostAt = Date.now();
  #ended = false;
  #isDown = false;
  #resyncing = 0; // the id of the question that is open
  #waiting = new Map();
  #timer = 0; // the next try is due, or this one has hung for too long
  #pingTimer = 0;

  /** Opens at once. `make` creates the WebSocket, `ticket` fetches what each needs (for tests). */
  constructor(url, {make = (...how) => new WebSocket(...how), ticket = fetchTicket} = {}) {
    super();
    this.#url = url;
    this.#make = make;
    this.#ticket = ticket;
    this.#open();
    // Timers sleep with a phone: look at once when the network is back; and whether it is gone.
    for (const change of ["online", "offline"]) globalThis.addEventListener?.(change, this.#onNetwork);
  }

  get isUp() {
    return this.#seq > 0 && this.#socket?.readyState === 1;
  }

  /** Sends a message; returns its id, or 0 when the socket is down (nothing is kept for later). */
  send(type, fields = {}) {
    if (this.#socket?.readyState !== 1) return 0;
    this.#id += 1;
    this.#socket.send(JSON.stringify({...fields, type, id: this.#id}));
    return this.#id;
  }

  /** Sends a message and resolves with what answers it (`re`); rejects with a LiveError. */
  request(type, fields = {}, {within = ANSWER_WITHIN} = {}) {
    const id = this.send(type, fields);
    if (!id) return Promise.reject(new LiveError("lost"));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(id, (entry) => entry.reject(new LiveError("timeout"))), within);
      this.#waiting.set(id, {resolve, reject, timer});
    });
  }

  /** Asks for the whole state again; once, and again if the server had no time for it. */
  resync() {
    if (this.#resyncing) return;
    this.#resyncing = this.send("resync");
  }

  /** The page woke up (visible again): connect now if down, find out now if the line is dead. */
  wake() {
    if (this.#ended) return;
    if (this.#socket?.readyState === 1) {
      this.request("ping", {}, {within: 3000}).catch((error) => error.code === "timeout" && this.#drop());
    } else if (!this.#isTrying) {
      this.#openNow();
    }
  }

  /** Ends it from this side; no events follow. */
  close() {
    const socket = this.#socket;
    this.#socket = null;
    this.#finish();
    socket?.close(1000);
  }

  get #isTrying() {
    return this.#fetching !== null || this.#socket?.readyState === 0;
  }

  #onNetwork = ({type}) => {
    // What was tried before there was a network waits for answers that cannot come.
    if (type === "online" && this.#isTrying) this.#openNow();
    else this.wake();
  };

  #openNow() {
    this.#tries = 0;
    this.#open();
  }

  async #open() {
    clearTimeout(this.#timer);
    clearInterval(this.#pingTimer);
    this.#giveUpFetching();
    const hung = this.#socket;
    this.#socket = null;
    hung?.close();
    const within = Math.min(Math.max((Date.now() - this.#lostAt) / 2, OPEN_WITHIN), OPEN_AT_LAST);
    this.#timer = setTimeout(() => this.#drop(), within);
    const fetching = new AbortController();
    this.#fetching = fetching;
    let ticket = "";
    let closes = 1006;
    try {
      ticket = await this.#ticket(new URL(this.#url).pathname, fetching.signal);
    } catch (error) {
      closes = error.closes ?? 1006;
    }
    if (fetching !== this.#fetching) return; // given up meanwhile
    this.#fetching = null;
    if (ticket) this.#connect(ticket);
    else this.#onClose(closes);
  }

  #connect(ticket) {
    const socket = this.#make(this.#url, [SUBPROTOCOL, ticket]);
    this.#socket = socket;
    this.#id = this.#seq = this.#resyncing = 0;
    this.#heard = Date.now();
    socket.onmessage = (event) => socket === this.#socket && this.#receive(event.data);
    socket.onclose = (event) => socket === this.#socket && this.#onClose(event.code, event.reason);
    this.#pingTimer = setInterval(() => this.#beat(), PING_EVERY);
  }

  #giveUpFetching() {
    this.#fetching?.abort();
    this.#fetching = null;
  }

  #beat() {
    if (Date.now() - this.#heard > PING_EVERY + ANSWER_WITHIN) this.#drop();
    else this.send("ping");
  }

  /** The line is dead though nobody said so: closing it properly could take minutes. */
  #drop() {
    const socket = this.#socket;
    if (!socket && !this.#fetching) return;
    this.#giveUpFetching();
    if (socket) {
      socket.onmessage = socket.onclose = null;
      socket.close();
    }
    this.#onClose(1006);
  }

  #receive(data) {
    const message = JSON.parse(data);
    this.#heard = Date.now();
    if (message.seq <= this.#seq) return;
    const gap = message.seq !== this.#seq + 1;
    this.#seq = message.seq;
    if (message.type === "state") this.#resyncing = 0;
    else if (gap) this.resync();
    if (message.type === "error" && message.re === this.#resyncing) this.#askAgain();
    if (message.type === "welcome") this.#onWelcome(message);
    this.#answer(message);
    this.#tell(message.type, message);
  }

  #askAgain() {
    const socket = this.#socket;
    setTimeout(() => {
      if (socket !== this.#socket || !this.#resyncing) return;
      this.#resyncing = 0;
      this.resync();
    }, ASK_AGAIN);
  }

  #onWelcome(message) {
    clearTimeout(this.#timer);
    this.#tries = 0;
    this.#lostAt = 0;
    this.#isDown = false;
    this.#tell(message.version === VERSION ? "up" : "outdated", message);
  }

  #answer(message) {
    if (typeof message.re !== "number") return;
    this.#settle(message.re, (entry) =>
      message.type === "error" ? entry.reject(new LiveError(message.code, message.message)) : entry.resolve(message),
    );
  }

  #settle(id, how) {
    const entry = this.#waiting.get(id);
    if (!entry) return;
    this.#waiting.delete(id);
    clearTimeout(entry.timer);
    how(entry);
  }

  #onClose(code, reason = "") {
    this.#socket = null;
    this.#seq = 0;
    this.#lostAt ||= Date.now();
    clearTimeout(this.#timer);
    clearInterval(this.#pingTimer);
    this.#abandon();
    if (FINAL_CODES.has(code)) {
      this.#finish();
      this.#tell("end", {code, reason});
      return;
    }
    if (!this.#isDown) this.#tell("down", {code});
    this.#isDown = true;
    this.#timer = setTimeout(() => this.#open(), this.#nextWait(code));
  }

  #abandon() {
    for (const id of [...this.#waiting.keys()]) this.#settle(id, (entry) => entry.reject(new LiveError("lost")));
  }

  /** Doubling, with jitter, so that a restarted server is not met by everybody at once. */
  #nextWait(code) {
    if (RESTARTS.has(code) && this.#tries === 0) {
      this.#tries = 1;
      return Math.random() * RESTART_SPREAD;
    }
    const longest = Date.now() - this.#lostAt < EAGER_FOR ? EAGER_WAIT : LONGEST_WAIT;
    const most = code === TOO_MANY_REFUSALS ? LONGEST_WAIT : Math.min(longest, FIRST_WAIT * 2 ** this.#tries);
    this.#tries += 1;
    return most / 2 + (Math.random() * most) / 2;
  }

  #finish() {
    this.#ended = true;
    this.#giveUpFetching();
    clearTimeout(this.#timer);
    clearInterval(this.#pingTimer);
    for (const change of ["online", "offline"]) globalThis.removeEventListener?.(change, this.#onNetwork);
    this.#abandon();
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, {detail}));
  }
}
