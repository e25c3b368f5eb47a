// Pages that agree on keys over a line that loses, doubles, delays and reorders what they say, by a clock of its own.
// `Agreement`, `ratchet` and `STEPS` are imported by who runs this.

/** The same numbers for the same seed. */
function dice(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

class World {
  constructor(seed, {loss = 0.3, doubled = 0.2, delay = 300} = {}) {
    Object.assign(this, {loss, doubled, delay, dice: dice(seed), now: 0, wire: [], people: new Map(), said: 0, epoch: 0});
    this.mangle = (letter) => letter; // what a hostile line makes of it; null for nothing
  }

  /** Somebody opens a page; `keys`: those it can open; `sends`: the one it seals with; `used`: all it ever sealed with. */
  async open(seat, language = "en") {
    const person = {seat, epoch: (this.epoch += 1), keys: new Map(), ever: new Set(), sends: null, used: [], state: null, modes: []};
    const text = (key) => key && [...key].join();
    person.agreement = await Agreement.make({
      language,
      now: () => this.now,
      send: (data) => this.post(person, data),
      act: ({type, kid, key}) => {
        if (type === "receive") person.ever.add(text(key)), person.keys.set(kid, text(key));
        else if (type === "forget") person.keys.delete(kid);
        else person.used.push(text(key)), (person.sends = {kid, key: text(key)});
      },
      change: (state) => {
        person.state = state;
        person.modes.push(state.mode);
      },
    });
    return person;
  }

  async enter(...seats) {
    for (const seat of seats) this.people.set(seat, await this.open(seat));
    await this.meet();
    return this.people.get(seats.at(-1));
  }

  /** Who leaves hears all the same whatever is said from now on. */
  async leave(seat) {
    const gone = this.people.get(seat);
    this.people.delete(seat);
    this.ears = [...(this.ears ?? []), gone];
    await this.meet();
    return gone;
  }

  /** The server tells everybody who is here. */
  async meet(...seats) {
    for (const {seat, agreement} of this.people.values()) {
      if (!seats.length || seats.includes(seat)) await agreement.meet(seat, [...this.people.keys()]);
    }
  }

  post(person, text) {
    this.said += 1;
    for (const to of [...this.people.values(), ...(this.ears ?? [])]) {
      if (to === person) continue;
      const copies = this.dice() < this.loss ? 0 : this.dice() < this.doubled ? 2 : 1;
      for (let i = 0; i < copies; i += 1) {
        this.wire.push({at: this.now + this.dice() * this.delay, from: person.seat, epoch: person.epoch, to, text});
      }
    }
  }

  async run(ms) {
    for (const end = this.now + ms; this.now < end; ) {
      this.now += 50;
      const due = this.wire.filter(({at}) => at <= this.now);
      this.wire = this.wire.filter(({at}) => at > this.now);
      for (const letter of due.map((each) => this.mangle({...each}))) {
        if (letter) await letter.to.agreement.hear(letter.from, letter.epoch, letter.text);
      }
      for (const {agreement} of this.people.values()) await agreement.tick();
    }
  }

  /** Whether everybody is on, shows the same words, and can open what each of the others seals. */
  get agreed() {
    const all = [...this.people.values()];
    const words = (person) => person.state.places.join();
    return all.every(
      (one) =>
        one.state?.mode === "on" &&
        words(one) === words(all[0]) &&
        all.every((other) => one === other || (other.sends && one.keys.get(other.sends.kid) === other.sends.key)),
    );
  }

  async agree(within = 60_000) {
    for (const end = this.now + within; this.now < end && !this.agreed; ) await this.run(50);
    return this.agreed;
  }

  /** Whether who has these keys opens what is sealed with `sends`: by that key, or by one that it is a step of. */
  async opens(keys, {kid, key}) {
    for (let start = kid; ; start -= 1n) {
      if (keys.has(start) && (await this.steps(keys.get(start)))[Number(kid - start)] === key) return true;
      if (start % BigInt(STEPS) === 0n) return false;
    }
  }

  /** All that can be made of some keys, by going on from each as far as that goes. */
  async reach(keys) {
    return new Set((await Promise.all([...keys].map((key) => this.steps(key)))).flat());
  }

  async steps(key) {
    const steps = [key];
    while (steps.length < STEPS) steps.push([...(await ratchet(Uint8Array.from(steps.at(-1).split(","))))].join());
    return steps;
  }

  words(seat) {
    return this.people.get(seat).state.places.join();
  }
}
