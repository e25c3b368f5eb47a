/** Notices that somebody talks while muted. The microphone is listened to here only, nothing of it leaves the browser. */

import {LevelMeter} from "./devices.js";

const LOOK_EVERY = 100;
const LOUD = 5; // of the meter's steps
// Speech has gaps: a loud look counts two, a quiet one takes one back. A cough does not get there.
const ENOUGH = 8;

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
    let score = 0;
    this.#timer = setInterval(() => {
      score = Math.max(0, score + (this.#meter.level() >= LOUD ? 2 : -1));
      if (score < ENOUGH) return;
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
