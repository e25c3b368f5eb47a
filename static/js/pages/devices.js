/** Camera and sound check: shows what `room/devices.js` finds. Nothing starts before a button is pressed. */

import {
  LevelMeter, METER_STEPS, browserKind, levelWord, list, obstacle, onChange, open, remember, remembered, stop,
} from "../room/devices.js";
import {keepInLine} from "../lib/in_line.js";
import {play} from "../lib/sounds.js";

const MEASURE_EVERY = 80;
const SILENT_AFTER = 6000;
const HEARD_LEVEL = 4;

const $ = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const page = $("#check");
const form = $("#on");
const status = $("#status");

let now = {stream: null, camera: "off", microphone: "off", bySystem: false};
let heard = false;
let meter = null;
let timer = 0;
let checks = 0;

function show(name) {
  const hadFocus = page.contains(document.activeElement);
  page.dataset.case = name;
  for (const part of all("[data-for]", page)) part.hidden = !part.dataset.for.split(" ").includes(name);
  const heading = $("[data-for]:not([hidden]) h1", page);
  if (heading && status.textContent !== heading.textContent) status.textContent = heading.textContent;
  // The pressed button may be gone now: the way goes on from the heading.
  if (hadFocus && !document.activeElement?.checkVisibility?.()) {
    heading.tabIndex = -1;
    heading.focus();
  }
}

function caseOf({camera, microphone}) {
  const bad = (state) => ["blocked", "missing", "busy"].includes(state);
  if (bad(camera) && camera === microphone) return `both-${camera}`;
  if (bad(camera)) return `camera-${camera}`;
  if (bad(microphone)) return `microphone-${microphone}`;
  if (microphone === "off") return "listen";
  if (camera === "off") return "sound-only";
  return heard ? "fine" : "quiet";
}

async function check(wanted = {}) {
  const choice = {...remembered(), ...wanted};
  const isFirst = !now.stream;
  release();
  if (isFirst && (choice.video || choice.audio)) show("asking");
  checks += 1;
  const mine = checks;
  const found = await open(choice);
  // Pressed again meanwhile: the later one counts, and this camera must not stay on.
  if (mine !== checks) return stop(found.stream);
  now = found;
  for (const track of now.stream?.getTracks() ?? []) track.addEventListener("ended", () => check(wantedNow()));
  heard = false;
  remember({video: now.camera === "ok", audio: now.microphone === "ok"});
  render();
  await fillPickers();
  report();
}

function wantedNow() {
  return {video: now.camera !== "off", audio: now.microphone !== "off"};
}

function release() {
  clearInterval(timer);
  meter?.close();
  meter = null;
  stop(now.stream);
}

function render() {
  const hasPicture = now.camera === "ok";
  $("#preview").hidden = !hasPicture;
  $("#picture").srcObject = hasPicture ? now.stream : null;
  const kind = now.bySystem ? "system" : browserKind();
  for (const part of all("[data-kind]")) part.hidden = !part.dataset.kind.split(" ").includes(kind);
  probe($("#probe-camera"), now.camera, now.camera === "ok");
  probe($("#probe-microphone"), now.microphone === "ok" && !heard ? "quiet" : now.microphone, heard);
  const name = $("#probe-camera [data-name]");
  name.textContent = now.stream?.getVideoTracks()[0]?.label ?? "";
  name.hidden = !name.textContent;
  startMeter();
  show(caseOf(now));
  $("#probes").hidden = page.dataset.case === "both-blocked";
}

function probe(row, state, isOk) {
  const isBad = ["blocked", "missing", "busy", "bad"].includes(state);
  row.className = `probe ${isOk ? "probe-ok" : isBad ? "probe-bad" : state === "off" ? "probe-na" : "probe-todo"}`;
  for (const words of all("[data-is]", row)) words.hidden = words.dataset.is !== state;
}

function startMeter() {
  const bar = $("#meter");
  bar.hidden = now.microphone !== "ok";
  $("#silent").hidden = true;
  if (bar.hidden) return;
  meter = new LevelMeter(now.stream);
  const since = Date.now();
  timer = setInterval(() => measure(bar, since), MEASURE_EVERY);
}

function measure(bar, since) {
  const level = meter.level();
  all("i", bar).forEach((step, at) => step.classList.toggle("on", at < level));
  const word = bar.dataset[levelWord(level)];
  bar.setAttribute("aria-valuenow", Math.min(level, METER_STEPS));
  if (bar.getAttribute("aria-valuetext") !== word) bar.setAttribute("aria-valuetext", word);
  if (!heard && level >= HEARD_LEVEL) onHeard();
  $("#silent").hidden = heard || Date.now() - since < SILENT_AFTER;
}

function onHeard() {
  heard = true;
  probe($("#probe-microphone"), "ok", true);
  show(caseOf(now));
}

async function fillPickers() {
  const found = await list();
  const used = (kind) => now.stream?.getTracks().find((track) => track.kind === kind)?.getSettings().deviceId;
  fill("camera", found.cameras, used("video"));
  fill("microphone", found.microphones, used("audio"));
  fill("speaker", found.speakers, remembered().speaker);
}

function fill(name, devices, current) {
  const select = $(`#pick-${name}`);
  select.replaceChildren(...devices.map((device) => new Option(device.label || device.deviceId, device.deviceId)));
  if (current) select.value = current;
  const button = $(`[data-pick=${name}]`);
  if (button) button.hidden = devices.length < 2 || now[name] !== "ok";
  else select.closest("label").hidden = devices.length < 2;
}

/** Tells the clinic how it went, so that staff see it before the visit. Failing is no reason to stop anybody. */
function report() {
  form.camera.value = now.camera;
  form.microphone.value = now.microphone;
  fetch(form.action || location.href, {
    method: "POST",
    body: new URLSearchParams(new FormData(form)),
    headers: {Accept: "application/json", "X-CSRFToken": form.csrfmiddlewaretoken.value},
  }).catch(() => {});
}

function onAction(act) {
  if (act === "ask" || act === "camera-on") return check({video: true, audio: true});
  if (act === "sound-only") return check({video: false, audio: true});
  return check({video: false, audio: false});
}

async function playTest() {
  await play("test", {speaker: remembered().speaker});
  speaker("asked");
}

function speaker(state) {
  const row = $("#probe-speaker");
  probe(row, state === "asked" ? "todo" : state, state === "ok");
  for (const hint of all("[data-hint]", row)) hint.hidden = hint.dataset.hint !== state;
  const words = $("[data-is]:not([hidden])", row);
  if (state !== "asked") status.textContent = words.textContent;
}

function wire() {
  for (const button of all("[data-act]")) button.addEventListener("click", () => onAction(button.dataset.act));
  for (const button of all("[data-pick]")) {
    button.addEventListener("click", () => {
      const label = $(`#pick-${button.dataset.pick}`).closest("label");
      label.hidden = !label.hidden;
      button.setAttribute("aria-expanded", String(!label.hidden));
      if (!label.hidden) $("select", label).focus();
    });
  }
  for (const name of ["camera", "microphone", "speaker"]) {
    $(`#pick-${name}`).addEventListener("change", (event) => {
      remember({[name]: event.target.value});
      if (name !== "speaker") check(wantedNow());
    });
  }
  $("#play").addEventListener("click", playTest);
  for (const button of all("[data-heard]")) {
    button.addEventListener("click", () => speaker(button.dataset.heard === "yes" ? "ok" : "bad"));
  }
  onChange(() => now.stream && fillPickers());
  // The room opens the devices itself; a phone may give a camera to one page only.
  addEventListener("pagehide", release);
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}

// Over, cancelled, or signed in anew: the server knows where to go.
keepInLine(() => location.reload());
const reason = obstacle();
if (reason) {
  show(reason);
} else {
  wire();
  show("ask");
}
