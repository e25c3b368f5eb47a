/** The room, for clinicians, patients and guests alike: what the page's buttons and the call have to do with each other. */

import {Live, socketUrl} from "../lib/live.js";
import {play as playSound} from "../lib/sounds.js";
import {connectDevices} from "../room/choices.js";
import {movable} from "../room/corner.js";
import {obstacle} from "../room/devices.js";
import {fill} from "../room/fill.js";
import {keysAreOn, listen, toolbar, turnKeys} from "../room/keys.js";
import {LocalMedia} from "../room/local.js";
import {Session} from "../room/session.js";
import {Sizes} from "../room/sizes.js";
import {Lines} from "../room/lines.js";
import {Privacy} from "../room/privacy.js";
import {compare, judge, measure, report, Steady} from "../room/stats.js";
import {TalkWatch} from "../room/talk.js";
import {View} from "../room/view.js";

const $ = (selector) => document.querySelector(selector);
const page = $("#main").dataset;
const isStaff = "staff" in page;
const words = JSON.parse($("#words").textContent);

const LOOK_EVERY = 2000;
const REPORT_EVERY = 5000;
const LEVELS_EVERY = 200;
const ELSEWHERE = 4409;
/** Phases that leave one thing to do. */
const COVERS = ["full", "encryption-required", "encryption-undecided"];

function start() {
  const view = new View(words);
  const local = new LocalMedia(page.socket);
  const live = new Live(socketUrl(page.socket));
  const session = new Session(live);
  live.addEventListener("outdated", () => location.reload());
  session.setMedia(local.wanted);

  const opened = local.start();

  const privacy = new Privacy(words.security, (text) => view.say(text));
  connectCall(session, view, local, opened);
  connectPrivacy(session, privacy);
  connectMedia(session, local, view);
  const tell = tellOfLine(session, live);
  connectButtons({session, local, view, live, privacy, tell});
  watchLine(session, view);
  showLines(session, live);
  connectDevices(local, words);
  for (const part of document.querySelectorAll("[inert]")) part.inert = false;
}

function connectCall(session, view, local, opened) {
  let known = null;
  const sizes = new Sizes((heights) => session.prefer(heights));
  const showPeople = () => {
    const people = session.people();
    view.showPeople(people, session.screen());
    sizes.watch(view.pictures(people, session.screen()));
    known = announce(known, people, view);
  };
  session.addEventListener("view", showPeople);
  session.addEventListener("state", ({detail}) => {
    if (detail.phase === "waiting") return go(page.waiting);
    view.showTime(detail.started, detail.now);
  });
  session.addEventListener("phase", ({detail}) => {
    view.notice(detail.startsWith("encryption-") ? "" : (words.phase[detail] ?? ""));
    view.say(words.phase[detail] || words.joined);
    for (const cover of COVERS) if (cover !== detail) view.uncover(cover);
    if (COVERS.includes(detail)) view.cover(detail);
  });
  // Who ends it for all is led on by the answer to that form, which has a word for them.
  let ending = false;
  document.addEventListener("submit", ({target}) => (ending ||= target.matches("[data-end]")));
  session.addEventListener("end", ({detail}) => {
    if (ending) return;
    if (isStaff && detail.reason) return local.close(); // the page says itself that the session has ended
    if (detail.code === ELSEWHERE) view.cover("elsewhere");
    else go(detail.over || !isStaff ? page.over : page.left);
  });
  // A page that uses the microphone may play sound without a press, so that comes first.
  view.addEventListener("blocked-sound", async () => {
    await opened;
    if (!(await view.play())) view.cover("tap");
  });
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && session.wake());
  globalThis.addEventListener("pageshow", (event) => event.persisted && location.reload());
}

function connectPrivacy(session, privacy) {
  session.addEventListener("security", ({detail}) => privacy.showSecurity(detail));
  session.addEventListener("state", ({detail}) => privacy.showState(detail));
  session.addEventListener("phase", ({detail}) => privacy.showPhase(detail));
}

/** Says who came and who went; the first look is no news. */
function announce(known, people, view) {
  const now = new Map(people.map((person) => [person.seat, person.name]));
  if (known) {
    for (const [seat, name] of now) {
      if (known.has(seat)) continue;
      view.say(fill(words.came, {name}));
      playSound("joined");
    }
    for (const [seat, name] of known) if (!now.has(seat)) view.say(fill(words.went, {name}));
  }
  return now;
}

function connectMedia(session, local, view) {
  let sharing = false;
  const talk = new TalkWatch(() => view.hint(words.mutedTalking));
  const show = () => {
    const {tracks, audioOn, videoOn, problems, isSharing} = local;
    session.setTracks(tracks);
    session.setMedia({audio: audioOn, video: videoOn});
    if (sharing !== isSharing) session.share(tracks.screen);
    sharing = isSharing;
    view.showSelf({video: tracks.camera, audioOn, videoOn, isSharing});
    view.speaker = local.speaker;
    talk.watch(tracks.audio, !audioOn);
    view.trouble(troubleWith(problems));
  };
  local.addEventListener("change", show);
  local.addEventListener("unplugged", ({detail}) => view.hint(words.unplugged[detail]));
  // Somebody else shows their screen now: ours is no longer seen.
  session.addEventListener("view", () => session.screen() && local.stopSharing());
}

function troubleWith({camera, microphone}) {
  const {trouble} = words;
  if (camera === "blocked" && microphone === "blocked") return trouble["both-blocked"];
  return trouble[`microphone-${microphone}`] ?? trouble[`camera-${camera}`] ?? "";
}

function connectButtons({session, local, view, live, privacy, tell}) {
  const open = (id) => () => {
    $("dialog[open]")?.close();
    $(id).showModal();
  };
  const presses = {
    mute: () => local.setAudio(!local.audioOn),
    camera: () => local.setVideo(!local.videoOn),
    share: () => (local.isSharing ? local.stopSharing() : local.shareScreen()),
    full: () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen()),
    "hide-self": () => view.hideSelf(!view.selfIsHidden),
    retry: () => local.retry(),
    panel: () => document.body.classList.toggle("panel-open"),
    more: open("#more-dialog"),
    invite: open("#invite-dialog"),
    keys: open("#keys-dialog"),
    leave: open("#leave-dialog"),
    security: () => privacy.open(),
    "words-differ": () => privacy.differ(),
    unable: () => privacy.decide(),
    unencrypt(button) {
      button.closest("dialog")?.close();
      live.send("encryption", {on: false});
    },
    close: (button) => button.closest("dialog").close(),
    play: () => (view.play(), view.cover("")),
    reload: () => location.reload(),
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-press]");
    if (button) presses[button.dataset.press](button);
    const link = event.target.closest("[data-leave]");
    if (link) leave(event, {session, local, tell}, link.href);
  });
  if (!navigator.mediaDevices.getDisplayMedia) $("[data-press=share]").remove();
  if (!document.documentElement.requestFullscreen) $("[data-press=full]").remove();
  connectKeys(presses, local);
  movable($("#self"), {top: !isStaff, start: false});
}

function connectKeys(presses, local) {
  let wasMuted = false;
  const talkWhileHeld = (talking) => {
    if (talking) wasMuted = !local.audioOn;
    if (wasMuted) local.setAudio(talking);
  };
  toolbar($("[role=toolbar]"));
  listen({m: presses.mute, v: presses.camera, f: presses.full, "?": presses.keys}, talkWhileHeld);
  const letters = $("#letters");
  letters.checked = keysAreOn();
  letters.addEventListener("change", () => turnKeys(letters.checked));
}

function watchLine(session, view) {
  const steady = new Steady();
  let before = null;
  setInterval(async () => {
    const now = measure(await session.stats());
    const line = compare(before, now);
    before = now;
    const level = line && steady.next(judge(line), performance.now());
    if (!level) return;
    view.showLine(level);
    view.say(words.line[level]);
  }, LOOK_EVERY);
  setInterval(() => view.showSpeaking(session.levels()), LEVELS_EVERY);
}

/** Tells the server what was heard and seen, for the visit's record: now and then, and by what it returns at the end. */
function tellOfLine(session, live) {
  let told = null;
  const tell = async () => {
    const now = measure(await session.stats());
    const fields = report(told, now);
    if (fields) live.send("stats", fields);
    told = now;
  };
  setInterval(tell, REPORT_EVERY);
  globalThis.addEventListener("pagehide", tell);
  document.addEventListener("submit", ({target}) => target.matches("[data-end]") && tell());
  return tell;
}

/** The panel with everybody's line: staff have it. */
function showLines(session, live) {
  const list = $("#lines");
  if (!list) return;
  const lines = new Lines(list, $("#line-row"), words.lines);
  let state = {people: []};
  session.addEventListener("state", ({detail}) => (state = detail));
  live.addEventListener("stats", ({detail}) => lines.show(detail.streams, state));
}

/** The link works by itself; the call is left first, so that nobody sees us frozen. */
async function leave(event, {session, local, tell}, href) {
  event.preventDefault();
  local.close();
  await tell().catch(() => {}); // what is told is worth no delay and no failure
  await session.leave();
  go(href);
}

function go(address) {
  location.replace(address);
}

/** Whether the person has been asked for camera and microphone before: then opening them is no surprise. */
async function mayOpen() {
  try {
    const states = await Promise.all(["camera", "microphone"].map((name) => navigator.permissions.query({name})));
    return states.every(({state}) => state !== "prompt");
  } catch {
    return false;
  }
}

async function begin() {
  const cover = $("#cover");
  const show = (name) => cover.replaceChildren($(`#cover-${name}`).content.cloneNode(true));
  const go = () => {
    cover.replaceChildren();
    cover.dataset.shows = "";
    cover.hidden = true;
    start();
  };
  if (obstacle()) return show("old");
  if (await mayOpen()) return go();
  show("ask");
  cover.querySelector("[data-join]").addEventListener("click", go);
}

begin();
