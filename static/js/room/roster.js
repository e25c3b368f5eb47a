/** Who is in the call and where they are seen: what the server said last. Knows no page and no connection. */

export class Roster {
  /** The protocol's last whole state, or null before the first. */
  state = null;
  #slots = {};
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
  place({slots, screen}) {
    this.#slots = slots;
    this.#screenSeat = screen;
  }

  /** The others who are here: the protocol's fields and their receivers in `peer`, when they have a slot. */
  people(peer) {
    const at = new Map(Object.entries(this.#slots).map(([index, seat]) => [seat, peer?.slots.get(Number(index))]));
    const others = (this.state?.people ?? []).filter((person) => person.here && person.seat !== this.state.you);
    return others.map((person) => ({...person, receivers: at.get(person.seat) ?? {audio: null, video: null}}));
  }

  /** Who shows their screen: {seat, receiver}, or null. */
  screen(peer) {
    const receiver = peer?.screenReceiver;
    return this.#screenSeat && receiver ? {seat: this.#screenSeat, receiver} : null;
  }
}
