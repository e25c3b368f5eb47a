/**
 * One connection to the relay, with the fixed places of visits/live/PROTOCOL.md: negotiated once, then only
 * tracks are put in and taken out. Knows no page and no socket.
 */

const OTHERS = 5;
const CAMERA_BITS = 1_500_000;
const SCREEN_BITS = 2_500_000;

export class Peer extends EventTarget {
  /**
   * `transforms` may set encoded transforms: it is called with each sender ("audio", "camera", "screen") and
   * receiver before the offer is made, which is the only moment that every browser accepts. Without
   * `iceServers` the relay is reached directly, and nothing else is asked.
   */
  constructor({make = (config) => new RTCPeerConnection(config), transforms = null, iceServers = []} = {}) {
    super();
    const pc = make({iceServers, bundlePolicy: "max-bundle", rtcpMuxPolicy: "require"});
    this.pc = pc;
    // The order is the protocol's.
    this.audio = pc.addTransceiver("audio", {direction: "sendonly"});
    this.camera = pc.addTransceiver("video", {direction: "sendonly", sendEncodings: [{maxBitrate: CAMERA_BITS}]});
    this.screen = pc.addTransceiver("video", {direction: "sendonly", sendEncodings: [{maxBitrate: SCREEN_BITS}]});
    const receive = (kind) => pc.addTransceiver(kind, {direction: "recvonly"});
    for (let i = 0; i < OTHERS; i += 1) receive("audio");
    for (let i = 0; i < OTHERS; i += 1) receive("video");
    receive("video");
    for (const transceiver of transforms ? pc.getTransceivers() : []) transforms(transceiver);
    /** slot index → {audio, video}: receivers */
    this.slots = new Map();
    this.screenReceiver = null;
    pc.onconnectionstatechange = () => this.dispatchEvent(new CustomEvent("change", {detail: pc.connectionState}));
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

  /** Puts the tracks to send into their places; null sends nothing. */
  async send({audio, camera, screen}) {
    await Promise.all([
      put(this.audio.sender, audio),
      put(this.camera.sender, camera),
      put(this.screen.sender, screen),
    ]);
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
    this.pc.onconnectionstatechange = null;
    this.pc.close();
  }
}

/** Browsers can send lost sound again, as they do pictures, but do not offer it by themselves (RFC 4585). */
function repairable(sdp) {
  return sdp.replaceAll(/a=rtpmap:(\d+) opus\/48000\/2\r\n/g, "$&a=rtcp-fb:$1 nack\r\n");
}

async function put(sender, track) {
  if (sender.track !== track) await sender.replaceTrack(track);
}
