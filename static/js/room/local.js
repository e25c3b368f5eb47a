/**
 * One's own camera, microphone and screen during the call. Knows no page.
 *
 * Events: "change" (tracks, what is on, or a problem changed), "unplugged" (`detail`: "camera" or "microphone"; the
 * usual one took over).
 */

import {classify, list, onChange, open, remember, remembered, stop} from "./devices.js";

// For this tab and this visit only: who switched the camera off stays off after a reload, not in the next visit.
const KEY = "telehealth.room";

export class LocalMedia extends EventTarget {
  #audio = null;
  #video = null;
  #screen = null;
  #wants = remembered();
  #visit;
  #kept;
  #problems = {camera: "", microphone: ""};

  /** `visit` is any text of the visit's own. */
  constructor(visit) {
    super();
    this.#visit = visit;
    this.#kept = {audio: true, video: true, ...kept(visit)};
    this.#wants.video &&= this.#kept.video;
    onChange(() => this.#tell("change"));
  }

  /** The tracks to send now. */
  get tracks() {
    return {audio: this.#audio, camera: this.#video, screen: this.#screen};
  }

  /** Whether the others hear and see us. */
  get audioOn() {
    return Boolean(this.#audio?.enabled);
  }

  get videoOn() {
    return Boolean(this.#video);
  }

  /** What is wanted, whether it is there or not: said at joining, before the devices have opened. */
  get wanted() {
    return {audio: this.#wants.audio && this.#kept.audio, video: this.#wants.video};
  }

  /** "" or why camera and microphone are not there: "blocked", "missing", "busy". */
  get problems() {
    return this.#problems;
  }

  get isSharing() {
    return this.#screen !== null;
  }

  /** Opens what the person chose at the device check, or as much of it as there is. */
  async start() {
    const {audio, video, camera, microphone} = this.#wants;
    this.#take(await open({audio, video, camera, microphone}));
  }

  /** Opens again what did not open. */
  async retry() {
    const missing = {audio: !this.#audio, video: !this.#video && this.#wants.video};
    if (!missing.audio && !missing.video) return;
    this.#take(await open({...missing, camera: this.#wants.camera, microphone: this.#wants.microphone}));
  }

  /** Mutes at once; the microphone stays open so that unmuting is as quick. */
  async setAudio(on) {
    this.#keep({audio: on});
    if (on && !this.#audio) return this.#reopen({audio: true, video: false});
    if (this.#audio) this.#audio.enabled = on;
    this.#tell("change");
  }

  /** Camera off lets the camera go: its light goes out. */
  async setVideo(on) {
    this.#wants.video = on;
    this.#keep({video: on});
    if (on && !this.#video) return this.#reopen({audio: false, video: true});
    if (!on && this.#video) {
      this.#video.stop();
      this.#video = null;
    }
    this.#tell("change");
  }

  /** Uses another camera or microphone from now on. */
  async choose(kind, id) {
    this.#wants[kind] = id;
    remember({[kind]: id});
    const isCamera = kind === "camera";
    if (isCamera ? !this.#video : !this.#audio) return;
    await this.#reopen({audio: !isCamera, video: isCamera});
  }

  /** What can be chosen, and the ids in use. */
  async choices() {
    const inUse = (track) => track?.getSettings().deviceId ?? "";
    return {...(await list()), camera: inUse(this.#video), microphone: inUse(this.#audio), speaker: this.#wants.speaker};
  }

  get speaker() {
    return this.#wants.speaker;
  }

  chooseSpeaker(id) {
    this.#wants.speaker = id;
    remember({speaker: id});
    this.#tell("change");
  }

  /** Asks which screen to show; resolves with whether one is shown. */
  async shareScreen() {
    try {
      const stream = await navigator.mediaDevices.getDisplayMedia({video: {frameRate: {max: 15}}, audio: false});
      [this.#screen] = stream.getVideoTracks();
    } catch (error) {
      if (classify(error) !== "blocked") throw error;
      return false; // the person chose none
    }
    this.#screen.contentHint = "detail";
    this.#screen.onended = () => this.stopSharing();
    this.#tell("change");
    return true;
  }

  stopSharing() {
    if (!this.#screen) return;
    this.#screen.stop();
    this.#screen = null;
    this.#tell("change");
  }

  /** Lets everything go. */
  close() {
    for (const track of [this.#audio, this.#video, this.#screen]) track?.stop();
    this.#audio = this.#video = this.#screen = null;
  }

  async #reopen({audio, video}) {
    const found = await open({audio, video, camera: this.#wants.camera, microphone: this.#wants.microphone});
    if (video && !this.#wants.video) return stop(found.stream); // switched off again meanwhile
    this.#take(found);
  }

  #take({stream, camera, microphone}) {
    const [audio] = stream?.getAudioTracks() ?? [];
    const [video] = stream?.getVideoTracks() ?? [];
    if (audio) audio.enabled = this.#kept.audio;
    if (audio) this.#audio = replaced(this.#audio, audio, () => this.#onEnded("microphone", audio));
    if (video) this.#video = replaced(this.#video, video, () => this.#onEnded("camera", video));
    if (camera !== "off") this.#problems.camera = camera === "ok" ? "" : camera;
    if (microphone !== "off") this.#problems.microphone = microphone === "ok" ? "" : microphone;
    this.#tell("change");
  }

  /** The device was pulled out, or the system took it: go on with the usual one. */
  async #onEnded(kind, track) {
    if (track !== (kind === "camera" ? this.#video : this.#audio)) return;
    if (kind === "camera") this.#video = null;
    else this.#audio = null;
    this.#wants[kind] = "";
    await this.#reopen({audio: kind === "microphone", video: kind === "camera"});
    this.#tell("unplugged", kind);
    this.#tell("change");
  }

  #keep(choice) {
    this.#kept = {...this.#kept, ...choice};
    try {
      sessionStorage.setItem(KEY, JSON.stringify({...this.#kept, visit: this.#visit}));
    } catch {
      // Private windows may refuse.
    }
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, {detail}));
  }
}

function kept(visit) {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "{}");
    return kept.visit === visit ? kept : {};
  } catch {
    return {};
  }
}

function replaced(old, fresh, onEnded) {
  old?.stop();
  fresh.onended = onEnded;
  return fresh;
}
