/**
 * End-to-end encryption of the call: the worker that seals and opens frames, the agreement that gives it keys, and what
 * the server says about it. Knows no page and no connection.
 *
 * `state`: {mode, words, reason, unable, halted}. Modes: "off" (the server said so), "alone", "agreeing", "on", "broken" (the
 * keys do not match, or no agreement comes about; nothing readable is sent meanwhile). `reason` says why the words are
 * others than before: "joined", "left", "new-key" (somebody's page is a new one), or "". `unable`: seats without it.
 * `halted`: this page cannot encrypt as it must, whatever the others do, and must send nothing any more.
 *
 * Events: "change".
 */

import {Agreement} from "./agreement.js";
import {Guard} from "./guard.js";
import {say} from "./words.js";

const TICK = 40; // ms; what is said waits no longer for its turn
const COUNT_WITHIN = 1000;
const LOOK_EVERY = 1000;

/** Whether this browser can encrypt frames. */
export const isAble = typeof globalThis.RTCRtpScriptTransform === "function";

export class Security extends EventTarget {
  state = {mode: "agreeing", words: [], reason: "", unable: [], halted: false};
  #worker = null;
  #agreement = null; // a promise
  #agreed = {mode: "agreeing", places: [], reason: "", languages: []};
  #encryption = null;
  #isRequired = false; // of a visit that goes on, for good: the server cannot take that back
  #language;
  #failed = !isAble;
  #timer = 0;
  #guard = new Guard();
  #looking = 0;
  #asked = 0;
  #refused = {};

  /** `send(data)` says something to everybody else in the call; it may get lost. */
  constructor({send, language = globalThis.document?.documentElement.lang || "en"}) {
    super();
    this.#language = language;
    if (!isAble) return;
    this.#worker = new Worker(new URL("./worker.js", import.meta.url), {type: "module"});
    this.#worker.addEventListener("error", () => this.#fail());
    this.#worker.addEventListener("message", ({data}) => data.type === "error" && this.#fail());
    const act = (order) => this.#worker.postMessage(order);
    const change = (agreed) => {
      this.#agreed = agreed;
      this.#tell();
    };
    this.#agreement = Agreement.make({send, act, change, language});
    this.#agreement.then((agreement) => (this.#refused = agreement.refused)).catch(() => this.#fail());
    this.#timer = setInterval(() => this.#ask((agreement) => agreement.tick()), TICK);
    this.#looking = setTimeout(() => this.#look(), LOOK_EVERY);
  }

  /** Puts a transceiver's frames through the worker. Must be called before the offer is made. */
  transform = (transceiver) => {
    if (!this.#worker) return;
    const sends = transceiver.direction === "sendonly";
    const side = sends ? transceiver.sender : transceiver.receiver;
    const options = {role: sends ? "send" : "receive", kind: transceiver.receiver.track.kind, name: crypto.randomUUID()};
    if (sends) this.#guard.watch(options.name, transceiver);
    side.transform = new RTCRtpScriptTransform(this.#worker, options);
  };

  /** Takes the server's `state`: whether to encrypt, and who is here. */
  take({encryption, you, people}) {
    this.#encryption = encryption;
    this.#isRequired ||= people.length > 0 && encryption.policy === "required";
    const isOn = !this.#isOff;
    this.#worker?.postMessage({type: "mode", mode: isOn ? "on" : "off"});
    const others = people.filter(({seat, here}) => here && seat !== you && !encryption.unable.includes(seat));
    const isInCall = people.some(({seat, here}) => here && seat === you);
    this.#ask((agreement) => agreement.meet(you ?? null, isOn ? others.map(({seat}) => seat) : [], {isInCall}));
    this.#tell();
  }

  /** The socket is in the call, anew or again: what was said without it was not heard. */
  joined() {
    this.#ask((agreement) => agreement.again());
  }

  /** Takes what another page sent. */
  hear({from, epoch, data}) {
    this.#ask((agreement) => agreement.hear(from, epoch, data));
  }

  /** Frames by what became of them, ms spent on them, and what was refused of the others' messages; or null. */
  async counts() {
    if (!this.#worker) return null;
    const {counts, spent, keys} = (await this.#count()) ?? {counts: {}, spent: {}, keys: 0};
    return {...counts, spent, keys, refused: {...this.#refused}};
  }

  close() {
    clearInterval(this.#timer);
    clearTimeout(this.#looking);
    this.#looking = null;
    this.#worker?.terminate();
  }

  /** What the worker has counted, or null when it does not say. */
  #count() {
    const id = (this.#asked += 1);
    return new Promise((resolve) => {
      const end = (answer) => {
        this.#worker.removeEventListener("message", hear);
        resolve(answer);
      };
      const hear = ({data}) => data.id === id && end(data);
      this.#worker.addEventListener("message", hear);
      setTimeout(() => end(null), COUNT_WITHIN);
      this.#worker.postMessage({type: "counts", id});
    });
  }

  /** Looks whether frames leave past the worker; that is for good. */
  async #look() {
    const isOn = this.#encryption && !this.#isOff;
    const count = async () => (await this.#count())?.seen ?? null;
    const finds = isOn && (await this.#guard.finds(count).catch(() => false)); // a connection was closed meanwhile
    if (this.#looking === null) return;
    if (finds && !this.#isOff) this.#fail();
    else this.#looking = setTimeout(() => this.#look(), LOOK_EVERY);
  }

  #ask(what) {
    this.#agreement?.then(what).catch(() => this.#fail());
  }

  #fail() {
    this.#failed = true;
    this.#tell();
  }

  #tell() {
    const {places, reason, languages} = this.#agreed;
    const mode = this.#mode();
    const words = mode === "on" || mode === "agreeing" ? say(places, this.#language, languages) : [];
    const halted = this.#failed && mode === "broken";
    const state = {mode, words, reason: words.length ? reason : "", unable: this.#encryption?.unable ?? [], halted};
    if (JSON.stringify(state) === JSON.stringify(this.state)) return;
    this.state = state;
    this.dispatchEvent(new CustomEvent("change", {detail: state}));
  }

  get #isOff() {
    return this.#encryption?.mode === "off" && !this.#isRequired;
  }

  #mode() {
    if (this.#isOff) return "off";
    return this.#failed && this.#encryption ? "broken" : this.#agreed.mode;
  }
}
