/** The waiting page: keeps its socket, shows what the server says, calls the person when it is time. */

import {Live, socketUrl} from "../lib/live.js";
import {play, unlock} from "../lib/sounds.js";

const CALLS = 3;
const CALL_EVERY = 8000;
const OFFLINE_AFTER = 3000;
const POLL_EVERY = 10_000;
const RETRY_AFTER = 2000;
const GONE = new Set(["over", "cancelled"]);

const panel = document.querySelector("#panel");
const offline = document.querySelector("#offline");
const clinicName = document.title.split(" - ").at(-1);
let shown = "";
let phase = panel.querySelector("[data-phase]").dataset.phase;
let said = panel.querySelector("[data-phase]").dataset.say;
let calls = 0;
let offlineTimer = 0;
let poll = 0;
let asked = 0;

async function onState({phase: next, position, range, late, moment}) {
  const key = JSON.stringify([next, position, range, late, moment]);
  if (key === shown) return;
  const isFirst = !shown;
  shown = key;
  // The page came with what was true a moment ago.
  if (isFirst && next === phase && next !== "waiting" && !late) return;
  const template = document.querySelector(`#panel-${next}`);
  if (GONE.has(next) && template) show(template.content.cloneNode(true));
  else await reload();
}

async function reload() {
  const url = new URL(location.href);
  url.searchParams.set("panel", "1");
  asked += 1;
  const mine = asked;
  const answer = await fetch(url);
  // A server that is in trouble has nothing better to show than this page.
  if (answer.status >= 500) throw new Error(`status ${answer.status}`);
  if (!answer.ok || answer.redirected) return location.reload();
  const holder = document.createElement("template");
  holder.innerHTML = await answer.text();
  // Answers may overtake each other: only what was asked last is true.
  if (mine === asked) show(holder.content);
}

function show(content) {
  const before = phase;
  const hadFocus = panel.contains(document.activeElement);
  panel.replaceChildren(content);
  const {phase: now, title, say} = panel.querySelector("[data-phase]").dataset;
  phase = now;
  document.title = `${title} - ${clinicName}`;
  document.querySelector("#extras").hidden = !["early", "waiting"].includes(now);
  wire();
  if (say && say !== said) document.querySelector(now === "called" ? "#alert" : "#status").textContent = say;
  said = say;
  if (now === "called" && before !== "called") callIn();
  if (now !== "called") calls = CALLS;
  if (hadFocus) focusOn(now === "called" ? "#join" : "h1");
}

function focusOn(selector) {
  const target = panel.querySelector(selector);
  if (!target) return;
  if (selector === "h1") target.tabIndex = -1;
  target.focus();
}

function callIn() {
  calls = 0;
  navigator.vibrate?.([250, 150, 250]);
  ring();
}

/** Two rising notes, three times in 20 seconds, until the person does something. */
function ring() {
  if (calls >= CALLS || phase !== "called") return;
  calls += 1;
  play("callIn");
  setTimeout(ring, CALL_EVERY);
}

/** Without a socket (some networks block them) plain requests keep the page true and the place alive. */
function goOffline() {
  offline.hidden = false;
  clearInterval(poll);
  poll = setInterval(() => reload().catch(() => {}), POLL_EVERY);
}

function wire() {
  const form = panel.querySelector("[data-moment]");
  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    calls = CALLS;
    const sent = fetch(form.action, {method: "POST", body: new URLSearchParams(new FormData(form))});
    const answer = await sent.catch(() => null); // without a network the button can be pressed again
    if (answer?.ok) await reload().catch(() => {});
    else if (answer) form.submit();
  });
}

wire();
addEventListener("pointerdown", unlock, {once: true});
addEventListener("keydown", unlock, {once: true});
if (phase === "called") callIn();

const live = new Live(socketUrl(panel.dataset.socket));
live.addEventListener("state", ({detail}) =>
  onState(detail).catch(() => {
    shown = "retry";
    setTimeout(() => live.resync(), RETRY_AFTER);
  }),
);
live.addEventListener("outdated", () => location.reload());
live.addEventListener("down", () => (offlineTimer = setTimeout(goOffline, OFFLINE_AFTER)));
live.addEventListener("up", () => {
  clearTimeout(offlineTimer);
  clearInterval(poll);
  offline.hidden = true;
});
// The link has ended: the server says what there is to say.
live.addEventListener("end", () => {
  clearInterval(poll);
  if (!GONE.has(phase)) location.reload();
});
addEventListener("visibilitychange", () => document.visibilityState === "visible" && live.wake());
addEventListener("pageshow", (event) => event.persisted && live.wake());
