/** Which counters of one key have been seen: a frame is taken once, late ones too, as long as they are not too late. */

// One counter serves all streams of a sender, and a picture may be some seconds late: at some 200 frames a second
// this remembers twenty.
const WINDOW = 4096;

export class ReplayWindow {
  #seen = new Uint32Array(WINDOW / 32);
  #next = 0; // one more than the highest taken

  /** Whether `ctr` (a BigInt) may still be taken. */
  isFresh(ctr) {
    if (ctr > BigInt(Number.MAX_SAFE_INTEGER - 1)) return false;
    const at = Number(ctr);
    return at >= this.#next || (at >= this.#next - WINDOW && !this.#bit(at));
  }

  /** Notes it, after the frame has proved authentic. */
  take(ctr) {
    const at = Number(ctr);
    if (at - this.#next >= WINDOW) this.#seen.fill(0);
    else for (let skipped = this.#next; skipped < at; skipped += 1) this.#clear(skipped);
    this.#next = Math.max(this.#next, at + 1);
    this.#seen[(at % WINDOW) >> 5] |= 1 << (at & 31);
  }

  #bit(at) {
    return Boolean(this.#seen[(at % WINDOW) >> 5] & (1 << (at & 31)));
  }

  #clear(at) {
    this.#seen[(at % WINDOW) >> 5] &= ~(1 << (at & 31));
  }
}
