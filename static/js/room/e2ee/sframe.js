/**
 * SFrame (RFC 9605): the header, the keys and the AES-GCM ciphers, by WebCrypto. Knows no page, no media, no people.
 *
 * KID and CTR are BigInts of up to 64 bits. The suites of AES-CTR with HMAC are left out: WebCrypto offers both
 * parts, but nothing that needs them here.
 */

export const AES_128_GCM_SHA256_128 = 4;
export const AES_256_GCM_SHA512_128 = 5;
const SUITES = {
  [AES_128_GCM_SHA256_128]: {hash: "SHA-256", hashBytes: 32, keyBytes: 16},
  [AES_256_GCM_SHA512_128]: {hash: "SHA-512", hashBytes: 64, keyBytes: 32},
};
/** §5.1: a key can be moved on this many times, less one; the low bits of its KID say how often it was. */
export const STEPS = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const {subtle} = globalThis.crypto;

/** §4.3: one byte of configuration, then KID and CTR in as few bytes as they need, or inside that byte when below 8. */
export function encodeHeader(kid, ctr) {
  const [first, second] = [field(kid), field(ctr)];
  return Uint8Array.of((first.code << 4) | second.code, ...first.bytes, ...second.bytes);
}

/** What stands at the beginning of `data`: {kid, ctr, length}, or null when it is too short to be a header. */
export function decodeHeader(data) {
  if (data.length === 0) return null;
  const [first, second] = [data[0] >> 4, data[0] & 0x0f];
  const [kidBytes, ctrBytes] = [extra(first), extra(second)];
  const length = 1 + kidBytes + ctrBytes;
  if (data.length < length) return null;
  const kid = kidBytes ? number(data, 1, kidBytes) : BigInt(first);
  const ctr = ctrBytes ? number(data, 1 + kidBytes, ctrBytes) : BigInt(second);
  return {kid, ctr, length};
}

/** §4.4.2: the key and the salt of one KID out of its base key. */
export async function derive(baseKey, kid, suite = AES_128_GCM_SHA256_128) {
  const {hash, keyBytes} = SUITES[suite];
  // HKDF-Extract with an empty salt is inside what WebCrypto calls HKDF.
  const secret = await subtle.importKey("raw", baseKey, "HKDF", false, ["deriveBits"]);
  const expand = async (word, bytes) => {
    const info = label(word, kid, suite);
    return new Uint8Array(await subtle.deriveBits({name: "HKDF", hash, salt: new Uint8Array(), info}, secret, 8 * bytes));
  };
  const [key, salt] = await Promise.all([expand("key", keyBytes), expand("salt", NONCE_BYTES)]);
  return {key, salt};
}

/** §5.1: the base key of the next step. Nobody comes back from it to this one. */
export async function ratchet(baseKey, suite = AES_128_GCM_SHA256_128) {
  const {hash, hashBytes} = SUITES[suite];
  const secret = await subtle.importKey("raw", baseKey, "HKDF", false, ["deriveBits"]);
  const info = new TextEncoder().encode("SFrame 1.0 Ratchet");
  return new Uint8Array(await subtle.deriveBits({name: "HKDF", hash, salt: new Uint8Array(), info}, secret, 8 * hashBytes));
}

/** One KID's cipher. Whoever seals must never use a CTR twice. */
export class Cipher {
  #key;
  #salt;

  static async make(baseKey, kid, suite = AES_128_GCM_SHA256_128) {
    const {key, salt} = await derive(baseKey, kid, suite);
    const cipher = new Cipher();
    cipher.kid = kid;
    cipher.#key = await subtle.importKey("raw", key, "AES-GCM", false, ["encrypt", "decrypt"]);
    cipher.#salt = salt;
    return cipher;
  }

  /** Header, ciphertext and tag; `metadata` is authenticated and not part of it. */
  async seal(ctr, metadata, plaintext) {
    const header = encodeHeader(this.kid, ctr);
    const sealed = await subtle.encrypt(this.#how(ctr, header, metadata), this.#key, plaintext);
    return joined(header, new Uint8Array(sealed));
  }

  /** The plaintext behind `header` (as `decodeHeader` read it). OperationError when it is not authentic. */
  async open({ctr, length}, metadata, data) {
    const how = this.#how(ctr, data.subarray(0, length), metadata);
    return new Uint8Array(await subtle.decrypt(how, this.#key, data.subarray(length)));
  }

  /** §4.4.3: the nonce is the salt with the counter folded in; header and metadata are the additional data. */
  #how(ctr, header, metadata) {
    const iv = this.#salt.slice();
    for (let at = NONCE_BYTES - 1, rest = ctr; rest > 0n; at -= 1, rest >>= 8n) iv[at] ^= Number(rest & 0xffn);
    return {name: "AES-GCM", iv, additionalData: joined(header, metadata), tagLength: 8 * TAG_BYTES};
  }
}

/** The bytes of all parts, one after the other. */
export function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function field(value) {
  if (value < 8n) return {code: Number(value), bytes: []};
  const bytes = bigEndian(value);
  return {code: 8 | (bytes.length - 1), bytes};
}

function extra(code) {
  return code & 8 ? (code & 7) + 1 : 0;
}

function number(data, start, length) {
  let value = 0n;
  for (let at = start; at < start + length; at += 1) value = (value << 8n) | BigInt(data[at]);
  return value;
}

function bigEndian(value) {
  const bytes = [];
  for (let rest = value; rest > 0n; rest >>= 8n) bytes.unshift(Number(rest & 0xffn));
  return bytes;
}

function label(word, kid, suite) {
  const text = new TextEncoder().encode(`SFrame 1.0 Secret ${word} `);
  const numbers = new DataView(new ArrayBuffer(10));
  numbers.setBigUint64(0, kid);
  numbers.setUint16(8, suite);
  return joined(text, new Uint8Array(numbers.buffer));
}
