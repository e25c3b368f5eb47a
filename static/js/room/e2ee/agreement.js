/**
 * How the pages of a call agree on words and give each other their keys. Pure: no page, no socket, no timer.
 *
 * Who is in the call makes a round (round.js). Each page tells the others the whole of what it has to say, its
 * *snapshot*, whenever that changed, and again until everybody's snapshot shows that they have it. So it does not
 * matter what is lost, doubled, late or out of order, and nothing has to be remembered but the last snapshot of each.
 *
 * Keys: a page makes a new one for its frames whenever the people change, and seals it for each of them with the secret
 * of the pair: of this round, or, so that a round that hangs delays nobody, of an earlier one in which both were. When
 * somebody came it is the last one moved on a step (RFC 9605 §5.1), which who has that can do, too, so it is in use at
 * once. When somebody left it is a fresh one, in use when all have it, or after SWITCH_WITHIN: at once when that is
 * right, later when somebody's socket is slow, and in any case soon when somebody left who has the old one.
 *
 * Where a round hangs on somebody, or nothing is heard of them, and others who did their part share no secret yet, these
 * make a *detour*: for a moment a round without who hangs, which gives them one. It takes longer than they stay in the
 * whole round, so they meet in it.
 *
 * What it does to the frames it says by `act`: {type: "send", kid, key} (key null: nothing), {type: "receive", kid, key}
 * and {type: "forget", kid}. Its own state it says by `change`: {mode, places, reason, languages}.
 */

import {bytes, Identity} from "./identity.js";
import {Round, roundId} from "./round.js";
import {ratchet, STEPS} from "./sframe.js";

const VERSION = 2;
export const SWITCH_WITHIN = 2000;
export const OLD_KEYS_FOR = 10_000; // frames that are on the way, and people who are back soon
export const STALLED_AFTER = 15_000;
export const HANGS_AFTER = 5000;
export const DETOUR = 7000;
const LEAST_GAP = 30; // ms between two snapshots, which the server takes at 10 a second with bursts of 40
const BURST = 20;
const REFILL = 150; // ms
const FIRST_REPEAT = 250;
const LONGEST_REPEAT = 2000;
const MOST_BYTES = 8192;
const MOST_PEOPLE = 16;
const MOST_ROUNDS = 256; // each is one chance in 2^32 for a liar; far more than people come and go in a visit
const MOST_WAITING = 64;
const MOST_KEYS = 0xffff;
const KEY_BYTES = 32;

export class Agreement {
  #identity;
  #send;
  #act;
  #change;
  #now;
  #language;

  #seat = null;
  #isInCall = false;
  #here = new Set(); // the seats of the others
  #heard = new Map(); // seat → {epoch, snapshot, at}
  #rounds = new Map(); // id → Round; none is ever forgotten, or its commitments could be made anew
  #round = null;
  // Who would make the round, how far it is, since when it stands still, and the pages missing during a detour.
  #whole = {all: "", progress: 0, since: 0, without: new Set()};
  // Our newest: {generation, kid, data, round, readers, at, boxes}. The low bits of the generation are the step; `readers`
  // are the pages that may have it.
  #key = null;
  #active = null; // ours in use
  #newSince = null; // when a newer one than that was first made: by then the others begin to forget the one in use
  #leftAt = null; // when somebody left who has the one in use
  #theirs = new Map(); // page → {generation, kid, round, held, goneAt}
  #fading = new Map(); // kid → when to forget it
  #exhausted = false;

  #queue = Promise.resolve();
  #waiting = 0;
  #said = {text: "", at: -Infinity, number: 0, wait: FIRST_REPEAT};
  #asked = false;
  #pace = {left: BURST, at: 0};
  #shown = null; // the round whose words were shown last
  #reason = "";
  #agreeingSince = null;
  #told = "";
  /** What was refused, by cause; for statistics. */
  refused = {malformed: 0, stale: 0, busy: 0};

  static async make({send, act, change, language = "en", now = () => performance.now()}) {
    const agreement = new Agreement();
    agreement.#identity = await Identity.make();
    agreement.#send = send;
    agreement.#act = act;
    agreement.#change = change;
    agreement.#language = language;
    agreement.#now = now;
    return agreement;
  }

  /**
   * Who is in the call: our seat, or null, and the others'. `isInCall`: whether we are, too; before that nobody hears
   * us, which is no failure.
   */
  meet(seat, others, {isInCall = true} = {}) {
    return this.#enqueue(() => {
      [this.#seat, this.#isInCall] = [seat, isInCall];
      this.#here = new Set(others.filter((other) => other !== seat).slice(0, MOST_PEOPLE));
    });
  }

  /** Takes what somebody sent; whatever it is, it does no harm. */
  hear(from, epoch, text) {
    if (this.#waiting > MOST_WAITING) {
      this.refused.busy += 1; // it is said again
      return Promise.resolve();
    }
    return this.#enqueue(() => this.#take(from, epoch, text));
  }

  /** What was said lately may not have been heard: say it again. */
  again() {
    return this.#enqueue(() => (this.#asked = true));
  }

  /** To be called several times a second: what is due by the clock. */
  tick() {
    return this.#waiting ? this.#queue : this.#enqueue(() => {});
  }

  #enqueue(work) {
    this.#waiting += 1;
    this.#queue = this.#queue.then(async () => {
      this.#waiting -= 1;
      work();
      await this.#settle();
    });
    return this.#queue;
  }

  // --- what others say ----------------------------------------------------------------------------

  #take(from, epoch, text) {
    const snapshot = read(text);
    if (!snapshot || typeof from !== "string" || !Number.isInteger(epoch)) {
      this.refused.malformed += 1;
      return;
    }
    const known = this.#heard.get(from);
    const isSame = known?.snapshot.page === snapshot.page;
    const isStale = known && (epoch < known.epoch || (isSame ? snapshot.number <= known.snapshot.number : epoch === known.epoch));
    if (isStale || (!known && !this.#makeRoom())) {
      this.refused.stale += 1;
      return;
    }
    this.#heard.set(from, {epoch, snapshot, at: this.#now()});
    this.#asked ||= snapshot.asks;
  }

  #makeRoom() {
    for (const seat of this.#heard.keys()) {
      if (this.#heard.size < MOST_PEOPLE) break;
      if (!this.#here.has(seat)) this.#heard.delete(seat);
    }
    return this.#heard.size < MOST_PEOPLE;
  }

  #snapshotOf(seat) {
    return this.#heard.get(seat)?.snapshot;
  }

  /** The others whose page we know. */
  get #others() {
    return this.#round ? this.#round.members.filter(({seat}) => seat !== this.#seat) : [];
  }

  // --- the pass over all that is known: run after everything that happens ---------------------------

  async #settle() {
    if (this.#isIn) await this.#gather();
    if (this.#isIn) {
      await this.#advance();
      await this.#takeKeys();
      this.#switchKey();
    }
    this.#fade();
    if (this.#isIn) await this.#speak();
    this.#tell();
  }

  get #isIn() {
    return this.#seat !== null && !this.#exhausted;
  }

  /** The round of those who are here now, and a key for it. */
  async #gather() {
    const others = [...this.#here].filter((seat) => this.#heard.has(seat));
    const pages = others.map((seat) => ({seat, page: this.#snapshotOf(seat).page}));
    const all = [...pages, {seat: this.#seat, page: this.#identity.page}].sort((a, b) => (a.seat < b.seat ? -1 : 1));
    const without = this.#hangsOn(all);
    const members = all.filter(({page}) => !without.has(page));
    const here = new Set(all.map(({page}) => page));
    const isSame = this.#round && JSON.stringify(members) === JSON.stringify(this.#round.members);
    if (isGone(this.#active, here)) this.#leftAt ??= this.#now();
    // Who a detour leaves out can be the one who leaves: the same round then, but not with the same key.
    if (isSame && !isGone(this.#key, here)) return;
    const id = await roundId(members);
    if (this.#rounds.size >= MOST_ROUNDS && !this.#rounds.has(id)) return this.#giveUp();
    if (!this.#rounds.has(id)) this.#rounds.set(id, await Round.make(this.#identity, this.#seat, members));
    this.#round = this.#rounds.get(id);
    await this.#makeKey(here);
  }

  /** The pages to go without for now. */
  #hangsOn(members) {
    const [all, now, whole] = [JSON.stringify(members), this.#now(), this.#whole];
    const isDetour = whole.without.size > 0;
    const reached = () => this.#others.reduce((sum, {seat}) => sum + this.#round.progress(seat), 0);
    const progress = isDetour ? whole.progress : reached();
    const isSame = whole.all === all && whole.progress === progress;
    if (isSame && now - whole.since <= (isDetour ? DETOUR : HANGS_AFTER)) return whole.without;
    const hangs = isSame && !isDetour;
    this.#whole = {all, progress, since: now, without: hangs ? this.#lacking() : new Set()};
    return this.#whole.without;
  }

  /**
   * Who does less than others for the round to come about, if one of these shares no secret with us. First those who
   * say nothing at all: a newcomer has never heard of them, and is in the round without them already.
   */
  #lacking() {
    const round = this.#round;
    if (round.words || round.broken) return new Set();
    const isSilent = ({seat}) => round.progress(seat) === 0 && this.#heard.get(seat).at < this.#whole.since;
    const most = Math.max(...this.#others.map(({seat}) => round.progress(seat)));
    const isBehind = this.#others.some(isSilent) ? isSilent : ({seat}) => round.progress(seat) < most;
    const isNeeded = this.#others.some((member) => !isBehind(member) && !this.#secretWith(member.page));
    return new Set(isNeeded ? this.#others.filter(isBehind).map(({page}) => page) : []);
  }

  /** The newest round that gave us a secret with that page. */
  #secretWith(page) {
    return [...this.#rounds.values()].reverse().find((each) => each.words && !each.broken && each.has(page));
  }

  /**
   * A fresh key where somebody who can have the last one is gone. Else that one moved on a step: who has it makes the
   * next by themselves, and who came cannot make the last.
   */
  async #makeKey(here) {
    const last = this.#key;
    const isStep = last !== null && !isGone(last, here) && (last.generation + 1) % STEPS !== 0;
    const generation = isStep ? last.generation + 1 : ((last?.generation ?? 0) | (STEPS - 1)) + 1;
    if (generation > MOST_KEYS) return this.#giveUp();
    const data = isStep ? await ratchet(last.data) : crypto.getRandomValues(new Uint8Array(KEY_BYTES));
    const kid = keyId(this.#identity.page, generation);
    const readers = new Set([...(isStep ? last.readers : []), ...this.#round.members.map(({page}) => page)]);
    this.#key = {generation, kid, data, round: this.#round, readers, at: this.#now(), boxes: new Map()};
    this.#newSince ??= this.#now();
    const tags = this.#round.members.map(({page}) => keyId(page, 0));
    if (new Set(tags).size < tags.length) this.#round.broken ||= "key ids collide";
  }

  /** Nothing is sealed any more, and nothing agreed. */
  #giveUp() {
    this.#exhausted = true;
    this.#active = null;
    this.#act({type: "send", kid: null, key: null});
  }

  async #advance() {
    const round = this.#round;
    for (const {seat} of this.#others) {
      const snapshot = this.#snapshotOf(seat);
      if (snapshot.round !== round.id) continue;
      round.takeCommit(seat, snapshot.commit);
      if (snapshot.reveal) await round.takeReveal(seat, snapshot.reveal);
    }
    await round.finish();
    if (round.words && this.#others.length) this.#nameReason(round);
  }

  async #takeKeys() {
    for (const {seat, page} of this.#others) {
      const sealed = this.#snapshotOf(seat).keys[this.#seat];
      if (!sealed) continue;
      const theirs = this.#theirs.get(page);
      if (theirs && (sealed.generation < theirs.generation || (sealed.generation === theirs.generation && theirs.held))) continue;
      const by = this.#rounds.get(sealed.by);
      if (!by?.words || !by.has(page)) continue; // not yet: it comes again
      const data = await by.open(page, [sealed.round, sealed.generation], sealed.box);
      if (data?.length !== KEY_BYTES) {
        this.#round.broken ||= "a key that is not theirs";
        continue;
      }
      const kid = keyId(page, sealed.generation);
      if (theirs?.held) this.#fading.set(theirs.kid, this.#now() + OLD_KEYS_FOR);
      this.#fading.delete(kid);
      this.#theirs.set(page, {generation: sealed.generation, kid, round: sealed.round, held: true, goneAt: null});
      this.#act({type: "receive", kid, key: data});
    }
  }

  #switchKey() {
    const [key, active] = [this.#key, this.#active];
    if (key === active) return;
    const isStep = active !== null && freshOf(key.generation) === freshOf(active.generation); // they have it all
    const isWaited = !isStep && this.#others.some(({seat}) => !this.#hasOurs(seat));
    const isForgotten = this.#now() - this.#newSince > OLD_KEYS_FOR / 2; // soon, by who has a newer one
    const isLate = this.#now() - (this.#leftAt ?? key.at) > SWITCH_WITHIN;
    // Who came has no use for a new key before the round is through, and the others may not have it yet.
    const mayForce = this.#leftAt !== null || !active || this.#round.words;
    if (isWaited && !isForgotten && !(isLate && mayForce)) return;
    this.#active = key;
    this.#newSince = this.#leftAt = null;
    this.#act({type: "send", kid: key.kid, key: key.data});
  }

  #fade() {
    const now = this.#now();
    for (const [page, theirs] of this.#theirs) {
      if (!theirs.held) continue;
      if (this.#others.some((member) => member.page === page)) theirs.goneAt = null;
      else theirs.goneAt ??= now;
      if (theirs.goneAt === null || now - theirs.goneAt < OLD_KEYS_FOR) continue;
      theirs.held = false; // the generation stays, so that no older one is ever taken
      this.#act({type: "forget", kid: theirs.kid});
    }
    for (const [kid, due] of this.#fading) {
      if (now < due) continue;
      this.#fading.delete(kid);
      this.#act({type: "forget", kid});
    }
  }

  // --- what we say ----------------------------------------------------------------------------------

  async #speak() {
    if (this.#here.size === 0) return;
    const now = this.#now();
    const said = this.#said;
    const asks = [...this.#here].some((seat) => !this.#isDone(seat));
    const text = JSON.stringify(await this.#snapshot());
    const isNews = text !== said.text;
    const isDue = isNews || this.#asked || (asks && now - said.at >= said.wait);
    if (!isDue || now - said.at < LEAST_GAP || !this.#mayPace(now)) return;
    const wait = isNews ? FIRST_REPEAT : Math.min(1.5 * said.wait, LONGEST_REPEAT);
    this.#said = {text, at: now, number: said.number + 1, wait};
    this.#asked = false;
    this.#send(JSON.stringify({version: VERSION, number: this.#said.number, asks, ...JSON.parse(text)}));
  }

  #mayPace(now) {
    const left = Math.min(BURST, this.#pace.left + (now - this.#pace.at) / REFILL);
    this.#pace = {left: left < 1 ? left : left - 1, at: now};
    return left >= 1;
  }

  async #snapshot() {
    const round = this.#round;
    const [keys, has, got] = [{}, {}, {}];
    for (const {seat, page} of this.#others) {
      has[seat] = round.progress(seat);
      const theirs = this.#theirs.get(page);
      if (theirs?.held) got[seat] = theirs.generation;
      const sealed = this.#hasOurs(seat) ? null : await this.#sealFor(page);
      if (sealed) keys[seat] = sealed;
    }
    const {page} = this.#identity;
    return {page, language: this.#language, round: round.id, commit: round.commit, reveal: round.reveal, has, got, keys};
  }

  /** Our key for one page, or null when we share no secret with it yet. */
  async #sealFor(page) {
    const {generation, round, data, boxes} = this.#key;
    const by = round.words && !round.broken && round.has(page) ? round : this.#secretWith(page);
    if (!by) return null;
    const name = `${by.id} ${page}`;
    if (!boxes.has(name)) boxes.set(name, await by.seal(page, [round.id, generation], data));
    return {by: by.id, round: round.id, generation, box: boxes.get(name)};
  }

  #hasOurs(seat) {
    const snapshot = this.#snapshotOf(seat);
    return snapshot?.round === this.#round.id && snapshot.got[this.#seat] === this.#key.generation;
  }

  /** Whether we have all of theirs for this round. */
  #haveTheirs(seat) {
    const theirs = this.#theirs.get(this.#snapshotOf(seat)?.page);
    return this.#round.progress(seat) === 2 && Boolean(theirs?.held) && theirs.round === this.#round.id;
  }

  #isDone(seat) {
    if (this.#round.broken) return true;
    return this.#hasOurs(seat) && this.#haveTheirs(seat) && this.#snapshotOf(seat).has[this.#seat] === 2;
  }

  // --- what we show ---------------------------------------------------------------------------------

  #nameReason(round) {
    if (round === this.#shown) return;
    const before = new Map(this.#shown?.members.map(({seat, page}) => [seat, page]));
    const isNewKey = round.members.some(({seat, page}) => before.has(seat) && before.get(seat) !== page);
    const isJoined = round.members.some(({seat}) => !before.has(seat));
    if (this.#shown) this.#reason = isNewKey ? "new-key" : isJoined ? "joined" : "left";
    this.#shown = round;
  }

  #tell() {
    const state = {mode: this.#mode(), places: [], reason: this.#reason, languages: [this.#language]};
    if (state.mode === "on" || state.mode === "agreeing") {
      state.places = (this.#others.length && this.#round.words) || [];
      state.languages.push(...this.#others.map(({seat}) => this.#snapshotOf(seat).language));
    }
    const text = JSON.stringify(state);
    if (text === this.#told) return;
    this.#told = text;
    this.#change(state);
  }

  #mode() {
    const mode = this.#currentMode();
    this.#agreeingSince = mode === "agreeing" && this.#isInCall ? (this.#agreeingSince ?? this.#now()) : null;
    const isStalled = this.#agreeingSince !== null && this.#now() - this.#agreeingSince > STALLED_AFTER;
    return isStalled ? "broken" : mode;
  }

  #currentMode() {
    if (this.#exhausted) return "broken";
    if (this.#seat === null || this.#round === null) return "agreeing";
    if (this.#here.size === 0) return "alone";
    if (this.#round.broken) return "broken";
    const isDone = this.#active === this.#key && [...this.#here].every((seat) => this.#haveTheirs(seat));
    return isDone ? "on" : "agreeing";
  }
}

/** Whether somebody who can have this key is not here any more. */
function isGone(key, here) {
  return key !== null && [...key.readers].some((page) => !here.has(page));
}

/** Which fresh key a generation is a step of. */
function freshOf(generation) {
  return Math.floor(generation / STEPS);
}

/** 32 bits of the page's name and 16 of the key's number: six bytes in each frame. */
function keyId(page, generation) {
  const tag = bytes(page).subarray(0, 4).reduce((sum, each) => (sum << 8n) | BigInt(each), 0n);
  return (tag << 16n) | BigInt(generation);
}

// --- reading --------------------------------------------------------------------------------------

const isText = (value, most = 64) => typeof value === "string" && value.length > 0 && value.length <= most;
const isHash = (value) => typeof value === "string" && /^[\w-]{43}$/.test(value);
const isNumber = (value, most) => Number.isInteger(value) && value >= 0 && value <= most;
const isMap = (value, check) =>
  isObject(value) && Object.keys(value).length <= MOST_PEOPLE && Object.entries(value).every(([seat, each]) => isText(seat) && check(each));
const isReveal = (value) => isObject(value) && /^[\w-]{87}$/.test(value.key) && isHash(value.nonce);
const isSealed = (value) =>
  isObject(value) && isHash(value.by) && isHash(value.round) && isNumber(value.generation, MOST_KEYS) && /^[\w-]{80}$/.test(value.box);

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A snapshot, or null for anything else. */
function read(text) {
  if (typeof text !== "string" || text.length > MOST_BYTES) return null;
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const isSound =
    isObject(value) &&
    value.version === VERSION &&
    isNumber(value.number, Number.MAX_SAFE_INTEGER) &&
    typeof value.asks === "boolean" &&
    [value.page, value.round, value.commit].every(isHash) &&
    isText(value.language, 8) &&
    (value.reveal === null || isReveal(value.reveal)) &&
    isMap(value.has, (each) => isNumber(each, 2)) &&
    isMap(value.got, (each) => isNumber(each, MOST_KEYS)) &&
    isMap(value.keys, isSealed);
  return isSound ? value : null;
}
