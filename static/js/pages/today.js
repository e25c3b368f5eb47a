/** The Today board: fetched anew by htmx when the socket says that it changed; arrivals are heard and seen. */

import {Live, socketUrl} from "../lib/live.js";
import {canPlay, isOn, play, turn, unlock} from "../lib/sounds.js";

const STALE_AFTER = 4000;
const CALM_AFTER = 4000;
const MENU_CALM_AFTER = 30_000;
const REFRESH_GAP = 2000;
const POLL_EVERY = 15_000;

const page = document.querySelector("#page");
const stale = document.querySelector("#stale");
const plainTitle = document.title;
const hours = {hour: "numeric", minute: "2-digit", hourCycle: "h12", timeZone: page.dataset.zone};
const clock = new Intl.DateTimeFormat(document.documentElement.lang, hours);
const board = () => document.querySelector("#board");

let wanted = board().dataset.version;
let touched = 0;
let retry = 0;
let staleTimer = 0;
let poll = 0;
let goodAt = new Date();
let arrived = 0;
let refreshedAt = 0;
let focused = null;

/** As the server writes it: "10:30 am". */
function timeOf(instant) {
  return clock.format(instant).toLowerCase();
}

function refresh() {
  clearTimeout(retry);
  refreshedAt = Date.now();
  globalThis.htmx.trigger("#board", "board:refresh");
}

/** At once when the board has been quiet; on a busy morning not with every small change. */
function refreshSoon() {
  clearTimeout(retry);
  retry = setTimeout(refresh, refreshedAt + REFRESH_GAP - Date.now());
}

/** A row never jumps under a finger: while the list is in use, only new rows are added, below. */
function isBusy() {
  const hasMenu = document.querySelector("#board details[open]") !== null;
  return Date.now() - touched < (hasMenu ? MENU_CALM_AFTER : CALM_AFTER);
}

function addNewRows(html) {
  const list = document.querySelector("#queue");
  const fresh = new DOMParser().parseFromString(html, "text/html");
  for (const row of fresh.querySelectorAll("#queue > li")) {
    if (list.querySelector(`#${CSS.escape(row.id)}`)) continue;
    document.getElementById(row.id)?.remove();
    // Who is next is said anew with the order.
    for (const mark of row.querySelectorAll(".btn-1")) mark.classList.remove("btn-1");
    for (const mark of row.querySelectorAll(".tag-next")) mark.remove();
    list.append(document.adoptNode(row));
  }
  list.hidden = list.children.length === 0;
  const nobody = document.querySelector("#nobody");
  if (nobody) nobody.hidden = !list.hidden;
}

function onBeforeSwap(event) {
  const {target, xhr} = event.detail;
  if (target.id !== "board" || xhr.status !== 200) return;
  const active = document.activeElement;
  focused = target.contains(active) ? {element: active, row: active.closest("[id^=v-]")?.id} : null;
  if (!isBusy()) return;
  event.detail.shouldSwap = false;
  addNewRows(xhr.responseText);
  retry = setTimeout(refresh, CALM_AFTER);
}

function onSettled({target}) {
  if (target.id === "late") return sayEffect();
  wanted = board().dataset.version;
  goodAt = new Date();
  keepFocus();
  showSound();
  if (!stale.hidden) showSince();
}

/** Who would be told of a delay, for who does not see it change. */
function sayEffect() {
  document.querySelector("#status").textContent = document.querySelector("#late-effect")?.textContent ?? "";
}

/** Who goes by keyboard stays where they were, or with the row that moved, or at the head of the list. */
function keepFocus() {
  const {element, row} = focused ?? {};
  focused = null;
  if (!element || document.activeElement !== document.body) return;
  const heading = document.querySelector("#h-wait");
  heading.tabIndex = -1;
  const same = element.isConnected ? element : element.id && document.getElementById(element.id);
  (same || (row && document.getElementById(row)?.querySelector("a, button")) || heading).focus({preventScroll: true});
}

function onArrival({name, first_name: firstName, time, mine}) {
  if (page.dataset.scope === "mine" && !mine) return;
  refreshedAt = 0;
  arrived += 1;
  const words = page.dataset.arrived.replace("{name}", name).replace("{time}", timeOf(new Date(time)));
  document.querySelector("#status").textContent = words;
  document.title = page.dataset.title.replace("{count}", arrived).replace("{name}", firstName);
  play("arrival").then(showSound);
}

/** Somebody looks: the title has done its work. */
function onLook() {
  arrived = 0;
  document.title = plainTitle;
}

function showSound() {
  const card = document.querySelector("#alerts");
  const state = !isOn() ? "off" : canPlay() ? "on" : "blocked";
  card.hidden = false;
  for (const words of card.querySelectorAll("[data-sound]")) words.hidden = words.dataset.sound !== state;
  for (const button of card.querySelectorAll("[data-turn]")) button.hidden = (button.dataset.turn === "on") === isOn();
}

function onClick(event) {
  const button = event.target.closest("#alerts button");
  if (!button) return;
  if (button.dataset.turn) turn(button.dataset.turn === "on");
  else play("test");
  showSound();
}

/** Without a socket plain requests go on trying; the banner says how old the board may be. */
function setStale(isStale) {
  stale.hidden = !isStale;
  clearInterval(poll);
  if (!isStale) return;
  poll = setInterval(refresh, POLL_EVERY);
  showSince();
}

function showSince() {
  document.querySelector("#stale-since").textContent = timeOf(goodAt);
}

document.body.addEventListener("htmx:beforeSwap", onBeforeSwap);
document.body.addEventListener("htmx:afterSettle", onSettled);
for (const failure of ["htmx:sendError", "htmx:responseError"]) {
  document.body.addEventListener(failure, () => (retry = setTimeout(refresh, CALM_AFTER)));
}
document.addEventListener("click", onClick);
for (const type of ["pointermove", "pointerdown", "keydown", "focusin"]) {
  page.addEventListener(type, (event) => event.target.closest("#queue") && (touched = Date.now()), {passive: true});
}
for (const type of ["pointerdown", "keydown"]) {
  addEventListener(type, () => {
    unlock();
    onLook();
    showSound();
  });
}
addEventListener("visibilitychange", () => {
  if (document.visibilityState !== "visible") return;
  onLook();
  live.wake();
});
addEventListener("pageshow", (event) => event.persisted && live.wake());
showSound();

const live = new Live(socketUrl(page.dataset.socket));
live.addEventListener("state", ({detail}) => {
  goodAt = new Date();
  const version = page.dataset.scope === "mine" ? detail.mine : detail.version;
  if (version === wanted) return;
  wanted = version;
  refreshSoon();
});
live.addEventListener("arrival", ({detail}) => onArrival(detail));
live.addEventListener("down", () => (staleTimer = setTimeout(setStale, STALE_AFTER, true)));
live.addEventListener("up", () => {
  clearTimeout(staleTimer);
  setStale(false);
});
live.addEventListener("outdated", () => location.reload());
// Of a session that has ended ("reason") the page says so itself, and what is on it stays.
live.addEventListener("end", ({detail}) => detail.reason || location.reload());
