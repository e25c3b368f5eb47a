/** What the page shows of end-to-end encryption: the badge, the words to compare, and the question to a clinician. */

import {fill} from "./fill.js";

const $ = (selector) => document.querySelector(selector);

export class Privacy {
  #words;
  #say;
  #security = {mode: "agreeing", words: [], reason: "", unable: []};
  #state = null; // the protocol's
  #phase = "";
  #shown = {mode: "", text: "", by: null};
  #here = new Map(); // seat → name, of the others
  #changed = {joined: "", left: ""}; // who did so last
  #asked = new Set(); // seats about which the clinician was asked

  /** `say` tells it to who does not see the page. */
  constructor(words, say) {
    this.#words = words;
    this.#say = say;
  }

  /** Takes the state of e2ee/security.js. */
  showSecurity(security) {
    this.#security = security;
    this.#show();
  }

  /** Takes the protocol's state. */
  showState(state) {
    this.#state = state;
    this.#notePeople(state);
    this.#showUnable(state);
    this.#show();
  }

  /** Takes the session's phase: who cannot encrypt is outside. */
  showPhase(phase) {
    this.#phase = phase;
    this.#show();
  }

  /** The badge was pressed. */
  open() {
    if ($("#words-differ")) $("#words-differ").hidden = true;
    $("#security-dialog").showModal();
  }

  /** The clinician says that the words differ. */
  differ() {
    $("#words-differ").hidden = false;
  }

  get #mode() {
    return this.#phase.startsWith("encryption-") ? "unable" : this.#security.mode;
  }

  get #by() {
    return this.#state?.encryption.by ?? null;
  }

  #notePeople({people, you}) {
    const now = new Map(people.filter((person) => person.here && person.seat !== you).map(({seat, name}) => [seat, name]));
    for (const [seat, name] of now) if (!this.#here.has(seat)) this.#changed.joined = name;
    for (const [seat, name] of this.#here) if (!now.has(seat)) this.#changed.left = name;
    this.#here = now;
  }

  // --- the badge and its panel --------------------------------------------------------------------

  #show() {
    const mode = this.#mode;
    const badge = $("#security");
    badge.dataset.mode = mode;
    const {title, plain} = this.#words;
    write("#security-text", this.#words.badge[mode]);
    write("#security-title", title[mode]);
    write("#security-plain", fill(plain[this.#plain(mode)], {name: this.#by}));
    this.#showWords(mode === "unable" ? [] : this.#security.words);
    this.#tell(mode);
  }

  #plain(mode) {
    if (mode === "on" && this.#here.size > 1) return "onForMany";
    return mode === "off" && this.#by ? "offBy" : mode;
  }

  #showWords(spoken) {
    const list = $("#security-words");
    list.hidden = spoken.length === 0;
    if (spoken.join() !== [...list.children].map((each) => each.dataset.word).join()) list.replaceChildren(...spoken.map(item));
    const why = this.#why(spoken);
    $("#security-why").hidden = !why;
    write("#security-why", why);
    const asked = $("#words-asked");
    if (asked) [asked.hidden, $("#security-close").hidden] = [list.hidden, !list.hidden];
  }

  #why(spoken) {
    const reason = this.#words.reason[this.#security.reason];
    if (!reason || spoken.length === 0) return "";
    return fill(reason, {name: this.#changed[this.#security.reason] || this.#words.somebody});
  }

  /** Each news is said once, whatever else changes. */
  #tell(mode) {
    const why = mode === "on" ? $("#security-why").textContent : "";
    const spoken = why ? this.#security.words.join() : "";
    if (mode !== this.#shown.mode) this.#say(this.#words.badge[mode]);
    if (this.#by && this.#by !== this.#shown.by) this.#say(fill(this.#words.offBy, {name: this.#by}));
    if (spoken && spoken !== this.#shown.text) this.#say(why);
    this.#shown = {mode, text: spoken || this.#shown.text, by: this.#by};
  }

  // --- who cannot -----------------------------------------------------------------------------------

  #showUnable({encryption: {policy, mode, unable}, people, you}) {
    const bar = $("#unable");
    if (!bar) return;
    const waiting = people.filter(({seat}) => mode === "on" && seat !== you && unable.includes(seat));
    const {waiting: undecided, refused} = this.#words.unable;
    const names = new Intl.ListFormat(document.documentElement.lang).format(waiting.map(({name}) => name));
    bar.hidden = waiting.length === 0;
    $("#unable-decide").hidden = policy !== "preferred";
    const text = waiting.length ? fill(policy === "preferred" ? undecided : refused, {names}) : "";
    if (text && text !== $("#unable-text").textContent) this.#say(text);
    write("#unable-text", text);
    this.#ask(policy === "preferred" ? waiting : []);
  }

  #ask(waiting) {
    const dialog = $("#unable-dialog");
    if (waiting.length === 0 && dialog.open) dialog.close();
    for (const {seat} of waiting) {
      if (this.#asked.has(seat)) continue;
      this.#asked.add(seat);
      // Whoever has something else open is not interrupted: the line over the pictures asks.
      if (!$("dialog[open]")) this.decide();
    }
    for (const seat of this.#asked) if (!waiting.some((person) => person.seat === seat)) this.#asked.delete(seat);
  }

  /** Puts the question to the clinician. */
  decide() {
    const {people, encryption} = this.#state;
    const names = people.filter(({seat}) => encryption.unable.includes(seat)).map(({name}) => name);
    const name = new Intl.ListFormat(document.documentElement.lang).format(names);
    write("#unable-title", fill(this.#words.unable.title, {name}));
    write("#unable-who", fill(this.#words.unable.who, {name}));
    $("dialog[open]")?.close();
    $("#unable-dialog").showModal();
  }
}

function write(selector, text) {
  const element = $(selector);
  if (element.textContent !== text) element.textContent = text;
}

/** One word; that of the other language stands smaller under one's own. */
function item(word) {
  const [own, ...others] = word.split(" / ");
  const element = Object.assign(document.createElement("li"), {textContent: own});
  element.dataset.word = word;
  if (others.length) element.append(Object.assign(document.createElement("span"), {textContent: others.join(" / ")}));
  return element;
}
