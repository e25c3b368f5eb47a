/** Notices that somebody talks while muted. The microphone is listened to here only, nothing of it leaves the browser. */

import {LevelMeter} from "./devices.js";

const LOOK_EVERY = 200;
const LOUD = 5; // of the meter's steps
const LONG = 3; // looks in a row: not a cough

export class TalkWatch {
  #onTalk;
  #meter = null;
  #ear = null;
  #timer = 0;

  /** `onTalk()` is called once for each time of being muted. */
  constructor(onTalk) {
    this.#onTalk = onTalk;
  }

  /** `track` is the microphone, or null without one. */
  watch(track, isMuted) {
    const listens = Boolean(track) && isMuted;
    if (listens === (this.#meter !== null)) return;
    if (!listens) return this.#stop();
    this.#ear = track.clone();
    this.#ear.enabled = true;
    this.#meter = new LevelMeter(new MediaStream([this.#ear]));
    let looks = 0;
    this.#timer = setInterval(() => {
      looks = this.#meter.level() >= LOUD ? looks + 1 : 0;
      if (looks < LONG) return;
      clearInterval(this.#timer);
      this.#onTalk();
    }, LOOK_EVERY);
  }

  #stop() {
    clearInterval(this.#timer);
    this.#meter.close();
    this.#ear.stop();
    this.#meter = this.#ear = null;
  }
}
