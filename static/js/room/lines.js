/** Everybody's line as a picture of the last minute and words beside it. Is told everything; decides nothing. */

import {fill} from "./fill.js";

const SECONDS = 60;
const [WIDTH, HEIGHT] = [120, 32]; // of the picture, as its viewBox has it
const LEAST_TOP = 500_000; // bit/s: a quiet line is not drawn as a mountain
const TOP_TRIP = 0.5; // seconds
const TOP_LOSS = 0.2;

export class Lines {
  #list;
  #template;
  #words;
  #past = new Map(); // seat → the last figures, oldest first
  #rows = new Map();
  #number = new Intl.NumberFormat(document.documentElement.lang || "en", {maximumFractionDigits: 1});

  constructor(list, template, words) {
    [this.#list, this.#template, this.#words] = [list, template, words];
  }

  /** `streams` of the protocol's `stats`, of one second; `state` names the people. */
  show(streams, {people, you}) {
    const here = people.filter((person) => person.here);
    for (const seat of this.#rows.keys()) if (!here.some((person) => person.seat === seat)) this.#forget(seat);
    for (const person of here) {
      const figures = figuresOf(streams, person.seat);
      const past = [...(this.#past.get(person.seat) ?? []), figures].slice(-SECONDS);
      this.#past.set(person.seat, past);
      this.#draw(this.#rowOf(person.seat), person.seat === you ? this.#words.you : person.name, past);
    }
    this.#list.parentElement.hidden = here.length === 0;
  }

  #forget(seat) {
    this.#rows.get(seat).remove();
    this.#rows.delete(seat);
    this.#past.delete(seat);
  }

  #rowOf(seat) {
    if (!this.#rows.has(seat)) {
      const row = this.#template.content.firstElementChild.cloneNode(true);
      this.#rows.set(seat, row);
      this.#list.append(row);
    }
    return this.#rows.get(seat);
  }

  #draw(row, name, past) {
    const now = past.at(-1);
    const top = Math.max(LEAST_TOP, ...past.map((each) => each.up + each.down));
    row.querySelector(".line-who").textContent = name;
    row.querySelector(".line-text").textContent = this.#say(now);
    row.querySelector(".line-rate").setAttribute("d", curve(past, (each) => (each.up + each.down) / top));
    row.querySelector(".line-trip").setAttribute("d", curve(past, (each) => each.trip && each.trip / TOP_TRIP));
    row.querySelector(".line-loss").setAttribute("d", bars(past, (each) => each.loss / TOP_LOSS));
  }

  #say({up, down, loss, trip}) {
    const rate = (bits) => (bits >= 1e6 ? `${this.#number.format(bits / 1e6)} Mbit/s` : `${Math.round(bits / 1000)} kbit/s`);
    const parts = {up: rate(up), down: rate(down), loss: `${this.#number.format(100 * loss)} %`};
    if (trip === null) return fill(this.#words.now, parts);
    return fill(this.#words.nowAnswering, {...parts, trip: `${Math.round(1000 * trip)} ms`});
  }
}

/** What a seat sends and receives, the worst loss, and the nearest answer. */
export function figuresOf(streams, seat) {
  const up = streams.filter((each) => each.receiver === null && each.sender === seat);
  const down = streams.filter((each) => each.receiver === seat);
  const sum = (some) => some.reduce((total, each) => total + each.bitrate, 0);
  const trips = down.map((each) => each.round_trip).filter((trip) => trip !== null);
  return {
    up: sum(up),
    down: sum(down),
    loss: Math.max(0, ...[...up, ...down].map((each) => each.loss ?? 0)),
    trip: trips.length ? Math.min(...trips) : null,
  };
}

const x = (at, past) => Math.round(WIDTH - ((past.length - 1 - at) * WIDTH) / (SECONDS - 1));
const y = (share) => Math.round(10 * HEIGHT * (1 - Math.min(1, Math.max(0, share)))) / 10;

/** A line through the shares (0 to 1), interrupted where one is null. */
export function curve(past, share) {
  let [path, isDown] = ["", false];
  past.forEach((each, at) => {
    const value = share(each);
    if (value !== null) path += `${isDown ? "L" : "M"}${x(at, past)} ${y(value)}`;
    isDown = value !== null;
  });
  return path;
}

/** An upright stroke for each share above none. */
export function bars(past, share) {
  return past.map((each, at) => (share(each) > 0 ? `M${x(at, past)} ${HEIGHT}V${y(share(each))}` : "")).join("");
}
