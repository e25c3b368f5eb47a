/** Who is in the call and where they are seen: what the server said last. Knows no page and no connection. */

export class Roster {
  /** The protocol's last whole state, or null before the first. */
  state = null;
  #slots = {};
  #steps = {};
  #watched = {};
  #screenSeat = null;
  #wasHere = false;

  /** Takes a `state`; returns whether the relay has lost us though our side has not noticed. */
  take(state) {
    this.state = state;
    this.place(state);
    const isHere = Boolean(state.people.find((person) => person.seat === state.you)?.here);
    const isLost = this.#wasHere && !isHere;
    this.#wasHere = isHere;
    return isLost;
  }

  /** Takes a `slots` message. */
  place({slots, screen, steps = {}, watched = {}}) {
    this.#slots = slots;
    this.#steps = steps;
    this.#watched = watched;
    this.#screenSeat = screen;
  }

  /**
   * The others who are here: the protocol's fields and, when they have a slot, its index as `slot` and their
   * receivers in `peer`; `step` is how their picture comes ("full", "low", "paused"), `watches` how ours reaches them.
   */
  people(peer) {
    const at = new Map(Object.entries(this.#slots).map(([index, seat]) => [seat, Number(index)]));
    const others = (this.state?.people ?? []).filter((person) => person.here && person.seat !== this.state.you);
    return others.map((person) => {
      const slot = at.get(person.seat) ?? null;
      const receivers = peer?.slots.get(slot) ?? {audio: null, video: null};
      return {...person, slot, receivers, step: this.#steps[slot] ?? "full", watches: this.#watched[person.seat] ?? "full"};
    });
  }

  /** Who shows their screen: {seat, receiver, slot, step}, or null. */
  screen(peer) {
    const receiver = peer?.screenReceiver;
    if (!this.#screenSeat || !receiver) return null;
    const slot = peer.slots.size; // the index after the last
    return {seat: this.#screenSeat, receiver, slot, step: this.#steps[slot] ?? "full"};
  }
}
