/** One other person's place on the stage. */

import {fill} from "./fill.js";

export class Tile {
  #words;
  #audio;
  #video;
  #onBlocked;

  constructor(template, words, onBlocked) {
    this.element = template.content.firstElementChild.cloneNode(true);
    this.#words = words;
    this.#onBlocked = onBlocked;
    this.#audio = this.element.querySelector("audio");
    this.#video = this.element.querySelector("video");
  }

  /** `person`: the protocol's fields and their `receivers`. */
  show(person) {
    const {element} = this;
    const hasPicture = person.video && Boolean(person.receivers.video);
    element.dataset.seat = person.seat;
    element.classList.toggle("is-away", person.away);
    element.classList.toggle("is-muted", !person.audio);
    element.classList.toggle("is-camera-off", !hasPicture);
    element.classList.toggle("is-paused", hasPicture && person.step === "paused"); // the last picture stands still
    element.querySelector(".face").textContent = initials(person.name);
    element.querySelector(".tile-who").textContent = this.#caption(person);
    this.#video.setAttribute("aria-label", fill(this.#words.videoOf, person));
    // The browser says nothing when packets stop, and keeps the last picture: hide it by what we were told.
    this.#video.hidden = !hasPicture;
    element.querySelector(".tile-off").hidden = hasPicture;
    attach(this.#video, person.receivers.video);
    if (attach(this.#audio, person.receivers.audio)) this.play().then((plays) => plays || this.#onBlocked());
  }

  get picture() {
    return this.#video;
  }

  set speaking(is) {
    this.element.classList.toggle("tile-speaking", is);
  }

  set speaker(id) {
    this.#audio.setSinkId?.(id).catch(() => {}); // a speaker that is gone: the usual one goes on
  }

  /** Resolves with false when the browser wants a press of the person first. */
  async play() {
    try {
      if (this.#audio.srcObject) await this.#audio.play();
    } catch (error) {
      return error.name !== "NotAllowedError"; // AbortError: another track came meanwhile
    }
    return true;
  }

  remove() {
    this.#audio.srcObject = this.#video.srcObject = null;
    this.element.remove();
  }

  #caption(person) {
    if (person.away) return fill(this.#words.joiningAgain, person);
    if (person.video && person.step === "paused") return fill(this.#words.paused, person);
    if (person.watches === "paused") return fill(this.#words.seesNothing, person);
    return person.audio ? person.name : fill(this.#words.muted, person);
  }
}

/** Plays a receiver's track; whether it is another one than before. */
function attach(element, receiver) {
  const track = receiver?.track ?? null;
  const now = element.srcObject?.getTracks()[0] ?? null;
  if (track === now) return false;
  element.srcObject = track ? new MediaStream([track]) : null;
  return Boolean(track);
}

/** At most two letters, as the server makes them: "Dr. Amara Okafor" becomes "AO". */
function initials(name) {
  const words = name.split(/\s+/).filter((word) => word && !word.endsWith("."));
  const ends = words.length > 1 ? [words[0], words.at(-1)] : words;
  return ends.map((word) => [...word][0]).join("").toUpperCase();
}
