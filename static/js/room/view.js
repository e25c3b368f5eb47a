/** All that the room's page shows of the call. Is told everything; decides nothing. */

import {fill} from "./fill.js";
import {Tile} from "./tile.js";

const HINT_FOR = 6000;
const SAY_EVERY = 800;
const $ = (selector) => document.querySelector(selector);

export class View extends EventTarget {
  #words;
  #tiles = new Map(); // seat → Tile
  #grid = $("#tiles");
  #screen = $("#screen");
  #self = $("#self");
  #speaker = "";
  #started = null;
  #skew = 0;
  #hintTimer = 0;
  #sayings = [];

  /** Events: "blocked-sound": the browser wants a press before it plays. */
  constructor(words) {
    super();
    this.#words = words;
    setInterval(() => this.#tick(), 500);
  }

  // --- people -----------------------------------------------------------------------------------

  /** Shows the others, each in one tile, and whose screen is shown. */
  showPeople(people, screen) {
    const seats = new Set(people.map((person) => person.seat));
    for (const [seat, tile] of this.#tiles) {
      if (seats.has(seat)) continue;
      tile.remove();
      this.#tiles.delete(seat);
    }
    for (const person of people) this.#tileOf(person).show(person);
    this.#showScreen(screen, people);
    this.#grid.className = `tiles tiles-${people.length}${screen ? " with-screen" : ""}`;
    $("#alone").hidden = people.length > 0;
    const list = $("#people");
    if (list) this.#listPeople(list, people);
  }

  /** Slot index → the video element that shows it. */
  pictures(people, screen) {
    const shown = new Map();
    for (const {seat, slot} of people) if (slot !== null) shown.set(slot, this.#tiles.get(seat).picture);
    if (screen) shown.set(screen.slot, this.#screen.querySelector("video"));
    return shown;
  }

  /** `levels`: seat → loudness from 0 to 1. */
  showSpeaking(levels) {
    for (const [seat, tile] of this.#tiles) tile.speaking = (levels.get(seat) ?? 0) > 0.02;
  }

  set speaker(id) {
    this.#speaker = id;
    for (const tile of this.#tiles.values()) tile.speaker = id;
  }

  /** Plays what the browser had held back; resolves with whether it lets us. */
  async play() {
    const plays = await Promise.all([...this.#tiles.values()].map((tile) => tile.play()));
    return plays.every(Boolean);
  }

  #tileOf(person) {
    if (!this.#tiles.has(person.seat)) {
      const tile = new Tile($("#tile"), this.#words, () => this.dispatchEvent(new Event("blocked-sound")));
      tile.speaker = this.#speaker;
      this.#tiles.set(person.seat, tile);
      this.#grid.append(tile.element);
    }
    return this.#tiles.get(person.seat);
  }

  #showScreen(screen, people) {
    const person = screen && people.find((each) => each.seat === screen.seat);
    this.#screen.hidden = !person;
    const video = this.#screen.querySelector("video");
    if (!person) {
      video.srcObject = null;
      return;
    }
    if (video.srcObject?.getTracks()[0] !== screen.receiver.track) video.srcObject = new MediaStream([screen.receiver.track]);
    this.#screen.querySelector("figcaption").textContent = fill(this.#words.screenOf, person);
  }

  #listPeople(list, people) {
    const names = people.map((person) => (person.away ? fill(this.#words.joiningAgain, person) : person.name));
    const same = names.length === list.childElementCount - 1 && names.every((name, i) => list.children[i + 1].textContent === name);
    if (same) return;
    while (list.childElementCount > 1) list.lastElementChild.remove();
    for (const name of names) list.append(Object.assign(document.createElement("li"), {textContent: name}));
  }

  // --- oneself ----------------------------------------------------------------------------------

  /** One's own picture, and what the buttons would do. */
  showSelf({video, audioOn, videoOn, isSharing}) {
    const picture = this.#self.querySelector("video");
    if (picture.srcObject?.getTracks()[0] !== (video ?? undefined)) picture.srcObject = video ? new MediaStream([video]) : null;
    picture.hidden = !video;
    this.#self.querySelector(".tile-off").hidden = Boolean(video);
    this.#self.classList.toggle("is-muted", !audioOn);
    setTool("#mute", audioOn, this.#words.mute, this.#words.unmute);
    setTool("#camera", videoOn, this.#words.cameraOff, this.#words.cameraOn);
    setTool("#share", !isSharing, this.#words.share, this.#words.stopSharing);
  }

  hideSelf(hidden) {
    this.#self.hidden = hidden;
    const button = $("#hide-self");
    if (button) button.querySelector("span").textContent = hidden ? this.#words.showSelf : this.#words.hideSelf;
  }

  get selfIsHidden() {
    return this.#self.hidden;
  }

  // --- the call ---------------------------------------------------------------------------------

  /** The sentence over the pictures; "" takes it away. */
  notice(text) {
    $("#notice").hidden = !text;
    $("#notice-text").textContent = text;
    $("#tiles").classList.toggle("is-dimmed", Boolean(text));
  }

  /** What is wrong with one's own devices, with "Try again"; "" takes it away. */
  trouble(text) {
    const was = $("#trouble-text").textContent;
    $("#trouble").hidden = !text;
    $("#trouble-text").textContent = text;
    if (text && text !== was) this.say(text);
  }

  /** A sentence for a few seconds. */
  hint(text) {
    clearTimeout(this.#hintTimer);
    $("#hint").hidden = false;
    $("#hint-text").textContent = text;
    this.say(text);
    this.#hintTimer = setTimeout(() => ($("#hint").hidden = true), HINT_FOR);
  }

  /** Covers the call with one thing to do: `name` is one of the page's cover templates; "" uncovers. */
  cover(name) {
    const cover = $("#cover");
    if (cover.dataset.shows === name) return;
    cover.dataset.shows = name;
    cover.replaceChildren(...(name ? [$(`#cover-${name}`).content.cloneNode(true)] : []));
    cover.hidden = !name;
    cover.querySelector("h2")?.focus();
  }

  /** Takes this cover away, and leaves any other. */
  uncover(name) {
    if ($("#cover").dataset.shows === name) this.cover("");
  }

  /** "good", "weak" or "poor". */
  showLine(level) {
    const pill = $("#line");
    pill.hidden = false;
    pill.classList.toggle("pill-fair", level === "weak");
    pill.classList.toggle("pill-poor", level === "poor");
    $("#line-text").textContent = this.#words.line[level];
  }

  /** Starts the clock: both in ISO time, `now` by the server's clock. */
  showTime(started, now) {
    this.#started = started ? Date.parse(started) : null;
    this.#skew = Date.parse(now) - Date.now();
    this.#tick();
  }

  /** Says it to who does not see the page. What comes at the same time is said one after the other. */
  say(text) {
    this.#sayings.push(text);
    if (this.#sayings.length === 1) this.#sayNext();
  }

  #sayNext() {
    if (this.#sayings.length === 0) return;
    $("#status").textContent = this.#sayings[0];
    setTimeout(() => {
      this.#sayings.shift();
      this.#sayNext();
    }, SAY_EVERY);
  }

  #tick() {
    if (this.#started === null) return;
    const seconds = Math.max(0, Math.floor((Date.now() + this.#skew - this.#started) / 1000));
    const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    const two = (number) => String(number).padStart(2, "0");
    const text = hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${two(minutes)}:${two(rest)}`;
    if ($("#timer").textContent !== text) $("#timer").textContent = text;
  }
}

/** A toolbar button whose word is what pressing it does. */
function setTool(selector, on, whenOn, whenOff) {
  const button = $(selector);
  if (!button) return;
  button.classList.toggle("is-off", !on);
  const word = button.querySelector("span");
  const text = on ? whenOn : whenOff;
  if (word.textContent !== text) word.textContent = text;
}
