/** The key pair of one page: made when it opens, gone when it closes. The private key cannot be read out. */

const {subtle} = globalThis.crypto;
const ECDH = {name: "ECDH", namedCurve: "P-256"};

export class Identity {
  #privateKey;
  #seed;

  static async make() {
    const identity = new Identity();
    const pair = await subtle.generateKey(ECDH, false, ["deriveBits"]);
    identity.#privateKey = pair.privateKey;
    identity.#seed = await subtle.generateKey({name: "HMAC", hash: "SHA-256"}, false, ["sign"]);
    identity.publicKey = base64(new Uint8Array(await subtle.exportKey("raw", pair.publicKey)));
    identity.page = await pageOf(identity.publicKey);
    return identity;
  }

  /** The secret number of one round, the same whenever that round is asked for. */
  async nonce(round) {
    return base64(new Uint8Array(await subtle.sign("HMAC", this.#seed, new TextEncoder().encode(round))));
  }

  /** What only we and the owner of `publicKey` can know, as a key for HKDF. DataError for what is no key. */
  async secretWith(publicKey) {
    const theirs = await subtle.importKey("raw", bytes(publicKey), ECDH, false, []);
    const shared = await subtle.deriveBits({name: "ECDH", public: theirs}, this.#privateKey, 256);
    return subtle.importKey("raw", shared, "HKDF", false, ["deriveKey"]);
  }
}

/** The name of the page that has this key. */
export function pageOf(publicKey) {
  return digest(["telehealth page 1", publicKey]);
}

/** SHA-256 of a list of texts and lists, in base64url. */
export async function digest(value) {
  const text = new TextEncoder().encode(JSON.stringify(value));
  return base64(new Uint8Array(await subtle.digest("SHA-256", text)));
}

export function base64(data) {
  return btoa(String.fromCharCode(...data)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

export function bytes(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));
}
