/**
 * Notices that a connection is dead though the browser still calls it connected, which it may do for half a minute.
 */

const LOOK_EVERY = 1000;
const DEAF_AFTER = 5; // looks in a row at which nothing had arrived: neither media nor an answer to our checks

export class Pulse {
  #timer;
  #last = {peer: null, heard: 0, silent: 0};

  /** `current()` is the peer in use, or null; `onDead()` is called once for each peer that has died. */
  constructor(current, onDead) {
    this.#timer = setInterval(() => this.#look(current(), onDead), LOOK_EVERY);
  }

  stop() {
    clearInterval(this.#timer);
  }

  async #look(peer, onDead) {
    if (peer?.state !== "connected") return;
    const heard = await peer.heard();
    const isSilent = this.#last.peer === peer && this.#last.heard === heard;
    this.#last = {peer, heard, silent: isSilent ? this.#last.silent + 1 : 0};
    if (this.#last.silent === DEAF_AFTER) onDead(peer);
  }
}
