/**
 * Watches that what the page sends has passed through the worker. A browser may send as if there were no transform, in
 * the clear and without an error (Chromium does, when it is set too late), so what each sender says that it has sent is
 * held against the frames that came to the worker from it.
 */

const FEW = 5; // frames that prove nothing
const MISSES = 2; // in a row: a page that was frozen has some waiting, and takes them by the next look

export class Guard {
  #watched = new Map(); // name → {transceiver, sent, seen, misses}

  watch(name, transceiver) {
    this.#watched.set(name, {transceiver, sent: 0, seen: 0, misses: 0});
  }

  /** Whether a sender sends past the worker; `count` says how many frames came to it: name → number, or null. */
  async finds(count) {
    for (const [name, {transceiver}] of this.#watched) if (isOver(transceiver)) this.#watched.delete(name);
    const sent = await Promise.all([...this.#watched].map(async ([name, {transceiver}]) => [name, await framesOf(transceiver)]));
    const seen = await count(); // later, so that it has all of them
    return seen !== null && sent.map(([name, frames]) => this.#misses(name, frames, seen[name] ?? 0)).some(Boolean);
  }

  #misses(name, sent, seen) {
    const watched = this.#watched.get(name);
    if (seen !== watched.seen) Object.assign(watched, {sent, seen, misses: 0});
    else if (sent - watched.sent >= FEW) Object.assign(watched, {sent, misses: watched.misses + 1});
    return watched.misses >= MISSES;
  }
}

function isOver({currentDirection, sender}) {
  return currentDirection === "stopped" || sender.transport?.state === "closed";
}

/** Pictures of all sizes, or packets of sound: one frame in each (RFC 7587). */
async function framesOf({sender}) {
  let frames = 0;
  for (const entry of (await sender.getStats()).values()) {
    if (entry.type !== "outbound-rtp") continue;
    frames += entry.kind === "video" ? (entry.framesEncoded ?? 0) : (entry.packetsSent ?? 0) - (entry.retransmittedPacketsSent ?? 0);
  }
  return frames;
}
