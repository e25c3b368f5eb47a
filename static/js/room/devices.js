/**
 * Camera, microphone and speaker: opening them, saying in one word what is wrong, how loud it is. Knows no page.
 *
 * The words for a camera or microphone are those of the check-in record: "ok", "blocked" (the person or the
 * system said no), "missing", "busy" (another program holds it), "off" (not wanted).
 */

const KEY = "telehealth.devices";
export const METER_STEPS = 14;
const VIDEO = {width: {ideal: 1280}, height: {ideal: 720}, frameRate: {ideal: 30, max: 30}, facingMode: "user"};
const AUDIO = {echoCancellation: true, noiseSuppression: true, autoGainControl: true};

/** Why this browser cannot hold a call: "in-app", "insecure", "old", or "" when it can. */
export function obstacle(scope = globalThis) {
  const devices = scope.navigator?.mediaDevices;
  if (scope.RTCPeerConnection && devices?.getUserMedia) return "";
  if (scope.isSecureContext === false) return "insecure";
  return isInApp(scope.navigator?.userAgent ?? "") ? "in-app" : "old";
}

/** Whether the page is shown inside another app, which may refuse the camera without asking. */
export function isInApp(agent = navigator.userAgent) {
  return /FBAN|FBAV|Instagram|Line\/|MicroMessenger|GSA\/|Snapchat|Pinterest|LinkedInApp|; wv\)/.test(agent);
}

/** Which words explain how to allow the camera here. */
export function browserKind(agent = navigator.userAgent, touchPoints = navigator.maxTouchPoints ?? 0) {
  if (isInApp(agent)) return "in-app";
  if (/iPhone|iPad|iPod/.test(agent) || (/Macintosh/.test(agent) && touchPoints > 1)) return "safari-ios";
  if (/Firefox\//.test(agent)) return "firefox";
  if (/Chrome\/|Chromium\/|Edg\//.test(agent)) return /Android/.test(agent) ? "chrome-android" : "chrome";
  if (/Safari\//.test(agent)) return "safari-mac";
  return "other";
}

/** What an error of getUserMedia means: "blocked", "blocked-by-system", "missing" or "busy". */
export function classify(error) {
  switch (error?.name) {
    case "NotAllowedError":
    case "SecurityError":
      return /system/i.test(error.message) ? "blocked-by-system" : "blocked";
    case "NotFoundError":
    case "OverconstrainedError":
    case "TypeError":
      return "missing";
    default: // NotReadableError, AbortError: there, but held by somebody or broken
      return "busy";
  }
}

/**
 * Opens what is wanted, or as much of it as there is; never throws.
 *
 * Resolves with `{stream, camera, microphone, bySystem}`; `stream` is null when nothing opened.
 */
export async function open({video = true, audio = true, camera = "", microphone = ""} = {}) {
  const wanted = {video: video && constraint(VIDEO, camera), audio: audio && constraint(AUDIO, microphone)};
  const found = {stream: null, camera: video ? "ok" : "off", microphone: audio ? "ok" : "off", bySystem: false};
  if (!video && !audio) return found;
  try {
    found.stream = await navigator.mediaDevices.getUserMedia(wanted);
    return found;
  } catch (error) {
    if (!(video && audio)) return failed(found, error, video ? ["camera"] : ["microphone"]);
    if (classify(error).startsWith("blocked") && (await wasAsked())) return failed(found, error, ["camera", "microphone"]);
    return separately(wanted);
  }
}

/** One after the other, so that a missing or blocked camera does not take the microphone with it. */
async function separately({video, audio}) {
  const sound = await open({video: false, audio: true, microphone: idOf(audio)});
  const picture = await open({video: true, audio: false, camera: idOf(video)});
  const tracks = [sound, picture].flatMap((part) => part.stream?.getTracks() ?? []);
  return {
    stream: tracks.length ? new MediaStream(tracks) : null,
    camera: picture.camera,
    microphone: sound.microphone,
    bySystem: picture.bySystem || sound.bySystem,
  };
}

/** Whether asking each alone would only ask the person again what they have just refused. */
async function wasAsked() {
  const states = await Promise.all(["camera", "microphone"].map(permission));
  return states[0] !== "granted" && states.every((state) => state === states[0]);
}

async function permission(name) {
  try {
    return (await navigator.permissions.query({name})).state;
  } catch {
    return "unknown";
  }
}

function failed(found, error, names) {
  const why = classify(error);
  for (const name of names) found[name] = why === "blocked-by-system" ? "blocked" : why;
  found.bySystem = why === "blocked-by-system";
  return found;
}

function constraint(base, id) {
  return id ? {...base, facingMode: undefined, deviceId: {ideal: id}} : base;
}

function idOf(wanted) {
  return wanted?.deviceId?.ideal ?? "";
}

/** Lets camera and microphone go: their lights go out. */
export function stop(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** The devices that can be chosen; `speakers` is empty where the browser chooses. Names need an open device. */
export async function list() {
  const all = await navigator.mediaDevices.enumerateDevices();
  const of = (kind) => all.filter((device) => device.kind === kind && device.deviceId);
  const canChoose = "setSinkId" in (globalThis.AudioContext?.prototype ?? {});
  return {cameras: of("videoinput"), microphones: of("audioinput"), speakers: canChoose ? of("audiooutput") : []};
}

/** Calls `listener` when something is plugged in or out; returns how to end that. */
export function onChange(listener) {
  navigator.mediaDevices.addEventListener?.("devicechange", listener);
  return () => navigator.mediaDevices.removeEventListener?.("devicechange", listener);
}

/** How loud a stream's microphone is. Works only after a gesture of the person (browsers' autoplay rule). */
export class LevelMeter {
  #context;
  #analyser;
  #samples;

  constructor(stream) {
    this.#context = new AudioContext();
    this.#analyser = new AnalyserNode(this.#context, {fftSize: 1024});
    this.#samples = new Float32Array(this.#analyser.fftSize);
    this.#context.createMediaStreamSource(stream).connect(this.#analyser);
    this.#context.resume().catch(() => {});
  }

  /** 0 to METER_STEPS, even steps of loudness between -60 and -12 dB of full scale. */
  level() {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let sum = 0;
    for (const sample of this.#samples) sum += sample * sample;
    const decibel = 10 * Math.log10(sum / this.#samples.length || 1e-12);
    return Math.max(0, Math.min(METER_STEPS, Math.round(((decibel + 60) / 48) * METER_STEPS)));
  }

  close() {
    return this.#context.close().catch(() => {});
  }
}

/** "none", "quiet", "good" or "loud" for a level. */
export function levelWord(level) {
  if (level < 1) return "none";
  if (level < 4) return "quiet";
  return level < 13 ? "good" : "loud";
}

/** The choice kept in this browser: ids of devices and whether camera and microphone are wanted, nothing else. */
export function remembered() {
  const none = {camera: "", microphone: "", speaker: "", video: true, audio: true};
  try {
    return {...none, ...JSON.parse(localStorage.getItem(KEY) ?? "{}")};
  } catch {
    return none;
  }
}

/** Keeps `choice` (any of camera, microphone, speaker, video, audio) for the next page. */
export function remember(choice) {
  const {camera, microphone, speaker, video, audio} = {...remembered(), ...choice};
  try {
    localStorage.setItem(KEY, JSON.stringify({camera, microphone, speaker, video, audio}));
  } catch {
    // Private windows may refuse: the room then asks for the usual devices.
  }
}
