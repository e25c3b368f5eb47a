/** Four soft sounds, made here rather than loaded. Each is under 0.6 s and has a visible twin on its page. */

const NOTES = {
  callIn: [[523.25, 0], [783.99, 0.22]],
  arrival: [[659.25, 0]],
  joined: [[587.33, 0], [659.25, 0.14]],
  test: [[440, 0], [554.37, 0.18], [659.25, 0.36]],
};
const LENGTH = 0.32;
const LOUDNESS = 0.16;
const KEY = "telehealth.sound";

let context = null;

/** Whether this browser lets us make a sound now: it wants one press of the person on the page first. */
export function canPlay() {
  return navigator.userActivation ? navigator.userActivation.hasBeenActive : context?.state === "running";
}

export function isOn() {
  return localStorage.getItem(KEY) !== "off";
}

export function turn(on) {
  localStorage.setItem(KEY, on ? "on" : "off");
}

/** Call it in the first press or key of the person on the page: later sounds need no gesture then. */
export function unlock() {
  context ??= new AudioContext();
  context.resume().catch(() => {});
}

/** Plays "callIn", "arrival", "joined" or "test"; resolves with whether it could be heard. */
export async function play(name, {speaker = ""} = {}) {
  if (name !== "test" && !isOn()) return false;
  if (!canPlay()) return false;
  unlock();
  await Promise.race([context.resume(), new Promise((done) => setTimeout(done, 300))]);
  if (context.setSinkId) await context.setSinkId(speaker).catch(() => {});
  for (const [pitch, after] of NOTES[name]) note(pitch, context.currentTime + after);
  return context.state === "running";
}

function note(pitch, at) {
  const tone = new OscillatorNode(context, {type: "sine", frequency: pitch});
  const volume = new GainNode(context, {gain: 0});
  volume.gain.setValueAtTime(0, at);
  volume.gain.linearRampToValueAtTime(LOUDNESS, at + 0.02);
  volume.gain.exponentialRampToValueAtTime(0.001, at + LENGTH);
  tone.connect(volume).connect(context.destination);
  tone.start(at);
  tone.stop(at + LENGTH);
}
