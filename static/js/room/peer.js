/**
 * One connection to the relay, with the fixed places of visits/live/PROTOCOL.md: negotiated once, then only
 * tracks are put in and taken out. Knows no page and no socket.
 */

const OTHERS = 5;
// In up to three sizes; only the first is for who is alone with one other. The largest is the first: Chromium puts its
// estimate of its downlink (REMB) into the reports of its first stream, and tells none while that one pauses.
const CAMERA = [
  {rid: "f", scaleResolutionDownBy: 1, maxBitrate: 1_500_000},
  {rid: "h", scaleResolutionDownBy: 2, maxBitrate: 500_000, active: false},
  {rid: "q", scaleResolutionDownBy: 4, maxBitrate: 150_000, active: false},
];
// Nothing of it is active before it is shown: Chromium would keep a share of the line for it, and begin the camera small.
const SCREEN = [
  {rid: "f", scaleResolutionDownBy: 1, maxBitrate: 2_500_000, active: false},
  {rid: "h", scaleResolutionDownBy: 2, maxBitrate: 400_000, active: false},
];
const FEW_AGAIN_AFTER = 5000; // by then the relay shows everybody the whole picture

export class Peer extends EventTarget {
  #isMany = false;
  #isSmallSent = false;
  #tracks = {audio: null, camera: null, screen: null};
  #wasUp = false;
  #timer = 0;
  #changes = Promise.resolve();

  /**
   * `transforms` may set encoded transforms: it is called with each transceiver in the task that makes it. Set later,
   * Chromium sends as if there were none: in the clear. Without `iceServers` the relay is reached directly, and
   * nothing else is asked.
   */
  constructor({make = (config) => new RTCPeerConnection(config), transforms = null, iceServers = []} = {}) {
    super();
    const pc = make({iceServers, bundlePolicy: "max-bundle", rtcpMuxPolicy: "require"});
    this.pc = pc;
    // The order is the protocol's.
    this.audio = pc.addTransceiver("audio", {direction: "sendonly"});
    this.camera = inSizes(pc, CAMERA);
    this.screen = inSizes(pc, SCREEN);
    const receive = (kind) => pc.addTransceiver(kind, {direction: "recvonly"});
    for (let i = 0; i < OTHERS; i += 1) receive("audio");
    for (let i = 0; i < OTHERS; i += 1) receive("video");
    receive("video");
    for (const transceiver of transforms ? pc.getTransceivers() : []) transforms(transceiver);
    /** slot index → {audio, video}: receivers */
    this.slots = new Map();
    this.screenReceiver = null;
    pc.onconnectionstatechange = () => {
      if (pc.connectionState === "connected") {
        this.#wasUp = true;
        this.#settle().catch(() => {}); // closed meanwhile
      }
      this.dispatchEvent(new CustomEvent("change", {detail: pc.connectionState}));
    };
  }

  get state() {
    return this.pc.connectionState;
  }

  /** The offer's SDP. The relay finds us by our first check, so nobody waits for candidates. */
  async offer() {
    const {type, sdp} = await this.pc.createOffer();
    await this.pc.setLocalDescription({type, sdp: repairable(sdp)});
    return this.pc.localDescription.sdp;
  }

  /** Takes the relay's `joined` message. */
  async accept({sdp, slots, screen_mid: screenMid}) {
    await this.pc.setRemoteDescription({type: "answer", sdp});
    const byMid = new Map(this.pc.getTransceivers().map((each) => [each.mid, each.receiver]));
    const at = (mid) => (mid === null ? null : (byMid.get(mid) ?? null));
    for (const slot of slots) {
      this.slots.set(slot.index, {audio: at(slot.audio_mid), video: at(slot.video_mid)});
    }
    this.screenReceiver = at(screenMid);
  }

  /**
   * Puts the tracks to send into their places, as soon as there is a connection; null sends nothing. Chromium decides by
   * the first picture how large all are at first, and before it is connected it believes in a narrow line.
   */
  async send(tracks) {
    this.#tracks = tracks;
    if (this.#wasUp) await this.#settle();
  }

  /** Has sent what is wanted now. One change after the other, each to the newest wish: a camera that goes off stays off. */
  #settle() {
    const settled = this.#changes.then(async () => {
      const {audio, camera, screen} = this.#tracks;
      await Promise.all([
        put(this.audio.sender, audio),
        put(this.camera.sender, camera),
        put(this.screen.sender, screen),
      ]);
      await activate(this.camera.sender, true, this.#isSmallSent);
      await activate(this.screen.sender, screen !== null, this.#isSmallSent);
    });
    this.#changes = settled.catch(() => {});
    return settled;
  }

  /**
   * Says how many others are in the call: for one, small pictures would be encoded for nobody. The relay has
   * moved everybody to the whole picture before the small ones end.
   */
  reach(others) {
    const isMany = others > 1;
    if (isMany === this.#isMany) return;
    this.#isMany = isMany;
    clearTimeout(this.#timer);
    if (isMany) this.#sendSmall(true);
    else this.#timer = setTimeout(() => this.#sendSmall(false), FEW_AGAIN_AFTER);
  }

  #sendSmall(on) {
    this.#isSmallSent = on;
    if (this.#wasUp) this.#settle().catch(() => {}); // closed meanwhile
  }

  /** A number that grows as long as anything arrives: media, reports, answers to our checks. */
  async heard() {
    let sum = 0;
    for (const entry of (await this.pc.getStats()).values()) {
      if (entry.type === "candidate-pair") sum += entry.bytesReceived + entry.responsesReceived;
    }
    return sum;
  }

  close() {
    clearTimeout(this.#timer);
    this.pc.onconnectionstatechange = null;
    this.pc.close();
  }
}

/** Browsers can send lost sound again, as they do pictures, but do not offer it by themselves (RFC 4585). */
function repairable(sdp) {
  return sdp.replaceAll(/a=rtpmap:(\d+) opus\/48000\/2\r\n/g, "$&a=rtcp-fb:$1 nack\r\n");
}

/** A place for a picture in several sizes, or in one where the browser cannot do more. */
function inSizes(pc, encodings) {
  try {
    return pc.addTransceiver("video", {direction: "sendonly", sendEncodings: encodings});
  } catch {
    const [{maxBitrate, active}] = encodings;
    return pc.addTransceiver("video", {direction: "sendonly", sendEncodings: [{maxBitrate, active}]});
  }
}

/** Sends the picture or not, and its smaller sizes besides. */
async function activate(sender, isShown, small) {
  const parameters = sender.getParameters();
  const wanted = parameters.encodings.map((_, size) => isShown && (size === 0 || small));
  if (parameters.encodings.every(({active}, size) => active === wanted[size])) return;
  parameters.encodings.forEach((encoding, size) => (encoding.active = wanted[size]));
  await sender.setParameters(parameters);
}

async function put(sender, track) {
  if (sender.track !== track) await sender.replaceTrack(track);
}
