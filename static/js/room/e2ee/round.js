/**
 * One round: the pages that are in the call at one time come to words and to secrets in pairs.
 *
 * Each commits to its public key and a secret number, and shows them only when the commitments of all are in. So
 * nobody, and no server between them, can choose a key that makes the words of two rounds match: by the time the
 * numbers of the others are known, one's own are fixed (as in ZRTP, RFC 6189 §4.4.1.1). The number of words bounds
 * what is left to luck: one in 2^32 for each round.
 */

import {base64, bytes, digest, pageOf} from "./identity.js";

const {subtle} = globalThis.crypto;
const WORDS = 4;
const IV = 12;

export class Round {
  #identity;
  #seat;
  #nonce;
  #commits = new Map(); // seat → text
  #reveals = new Map(); // seat → {key, nonce}
  #pairs = new Map(); // page → {seal, open}: AES keys

  /** `members`: [{seat, page}] in the order of seats, ourselves among them. */
  static async make(identity, seat, members) {
    const round = new Round();
    round.#identity = identity;
    round.#seat = seat;
    round.members = members;
    round.id = await roundId(members);
    round.#nonce = await identity.nonce(round.id);
    round.commit = await round.#commitOf(seat, identity.page, identity.publicKey, round.#nonce);
    round.#commits.set(seat, round.commit);
    round.#reveals.set(seat, {key: identity.publicKey, nonce: round.#nonce});
    const pages = members.map(({page}) => page);
    if (new Set(pages).size < pages.length) round.broken = "one page twice";
    await round.finish();
    return round;
  }

  members = [];
  id = "";
  commit = "";
  /** Four numbers below 256 once everybody has shown theirs. */
  words = null;
  /** Why this round can never be agreed: somebody is not who they said, or a server lies. */
  broken = "";

  has(page) {
    return this.members.some((member) => member.page === page);
  }

  /** What we show to the others, or null as long as a commitment is missing. */
  get reveal() {
    const isReady = !this.broken && this.#commits.size === this.members.length;
    return isReady ? this.#reveals.get(this.#seat) : null;
  }

  /** How much of somebody we have: 0, 1 (their commitment) or 2 (what they committed to). */
  progress(seat) {
    if (this.#reveals.has(seat)) return 2;
    return this.#commits.has(seat) ? 1 : 0;
  }

  takeCommit(seat, commit) {
    const known = this.#commits.get(seat);
    if (known === undefined) this.#commits.set(seat, commit);
    else if (known !== commit) this.broken ||= "two commitments";
  }

  async takeReveal(seat, {key, nonce}) {
    if (this.#reveals.has(seat) || this.broken) return;
    const {page} = this.members.find((member) => member.seat === seat);
    const isTheirs = (await pageOf(key)) === page;
    const isCommitted = (await this.#commitOf(seat, page, key, nonce)) === this.#commits.get(seat);
    if (isTheirs && isCommitted) this.#reveals.set(seat, {key, nonce});
    else this.broken ||= "a commitment not kept";
  }

  /** Comes to the words and secrets, if it can by now. */
  async finish() {
    if (this.words || this.broken || this.#reveals.size < this.members.length) return;
    const shown = this.members.map(({seat, page}) => [seat, page, this.#reveals.get(seat).key, this.#reveals.get(seat).nonce]);
    const transcript = await digest(["telehealth transcript 1", this.id, shown]);
    try {
      for (const {seat, page} of this.members) {
        if (seat !== this.#seat) this.#pairs.set(page, await this.#pairWith(page, this.#reveals.get(seat).key, transcript));
      }
    } catch {
      this.broken ||= "not a key";
      return;
    }
    this.words = [...bytes(await digest(["telehealth words 1", transcript])).subarray(0, WORDS)];
  }

  /** Seals `data` for one page; `context` is a list that the other side must name, too. */
  async seal(page, context, data) {
    const iv = crypto.getRandomValues(new Uint8Array(IV));
    const sealed = await subtle.encrypt(this.#how(iv, context), this.#pairs.get(page).seal, data);
    return base64(iv) + base64(new Uint8Array(sealed));
  }

  /** What that page sealed for us, or null when it is not authentic. */
  async open(page, context, box) {
    const [iv, sealed] = [box.slice(0, 16), box.slice(16)];
    try {
      return new Uint8Array(await subtle.decrypt(this.#how(bytes(iv), context), this.#pairs.get(page).open, bytes(sealed)));
    } catch {
      return null;
    }
  }

  #how(iv, context) {
    return {name: "AES-GCM", iv, additionalData: new TextEncoder().encode(JSON.stringify([this.id, ...context]))};
  }

  #commitOf(seat, page, key, nonce) {
    return digest(["telehealth commitment 1", this.id, seat, page, key, nonce]);
  }

  async #pairWith(page, publicKey, transcript) {
    const secret = await this.#identity.secretWith(publicKey);
    const way = (from, to) => {
      const info = new TextEncoder().encode(JSON.stringify(["telehealth pair 1", from, to]));
      const hkdf = {name: "HKDF", hash: "SHA-256", salt: bytes(transcript), info};
      return subtle.deriveKey(hkdf, secret, {name: "AES-GCM", length: 256}, false, ["encrypt", "decrypt"]);
    };
    const own = this.#identity.page;
    return {seal: await way(own, page), open: await way(page, own)};
  }
}

/** The name of a round follows from who is in it: no leader, and all who see the same people mean the same. */
export function roundId(members) {
  return digest(["telehealth round 1", members.map(({seat, page}) => [seat, page])]);
}
