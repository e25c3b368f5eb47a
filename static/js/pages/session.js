/** Warns before the session ends by itself, and covers the page when it has ended: a sign of life goes by form. */

import {Live, socketUrl} from "../lib/live.js";

const WARN_BEFORE = 180_000;
/** Who types or clicks is there, though no page is asked for meanwhile. */
const SIGN_EVERY = 120_000;

const dialog = document.querySelector("#session");
const extend = dialog.querySelector("form[data-for=idle]");
const hours = {hour: "numeric", minute: "2-digit", hourCycle: "h12", timeZone: dialog.dataset.zone};
const clock = new Intl.DateTimeFormat(document.documentElement.lang, hours);

let endsAt = Infinity;
let isFinal = false;
let saidFinal = false;
let isOver = false;
let warnTimer = 0;
let signedAt = Date.now();
let before = null;

function onState({left, final}) {
  endsAt = Date.now() + left * 1000;
  isFinal = final;
  clearTimeout(warnTimer);
  if (left * 1000 > WARN_BEFORE) hide();
  warnTimer = setTimeout(warn, Math.max(0, left * 1000 - WARN_BEFORE));
}

function warn() {
  if (isOver || (isFinal && saidFinal)) return;
  saidFinal = isFinal;
  show(isFinal ? "final" : "idle", isFinal ? "final" : "idle");
}

/** What the session closed with: "timed-out" or "signed-out". Other ends are the page's own to explain. */
function onEnd({reason}) {
  if (!dialog.querySelector(`template[data-state="${reason}"]`)) return;
  isOver = true;
  clearTimeout(warnTimer);
  const here = location.pathname + location.search;
  dialog.querySelector("a[data-for=ended]").href = `${dialog.dataset.signin}?${new URLSearchParams({next: here})}`;
  dialog.classList.add("session-over");
  show(reason, "ended");
}

function show(state, buttons) {
  const words = dialog.querySelector(`template[data-state="${state}"]`);
  const title = dialog.querySelector("#session-title");
  title.textContent = words.dataset.title;
  const time = clock.format(new Date(endsAt === Infinity ? Date.now() : endsAt)).toLowerCase().replace(/\s/g, "\u00a0");
  dialog.querySelector("#session-words").textContent = words.content.textContent.replace("{time}", time);
  for (const one of dialog.querySelectorAll("[data-for]")) one.hidden = one.dataset.for !== buttons;
  if (!dialog.open) {
    before = document.activeElement;
    dialog.showModal();
  }
  title.focus();
}

function hide() {
  if (!dialog.open || isOver) return;
  dialog.close();
  before?.focus?.({preventScroll: true});
}

async function sign() {
  signedAt = Date.now();
  // Without an answer the socket says what became of the session.
  await fetch(extend.action, {method: "POST", body: new URLSearchParams(new FormData(extend))}).catch(() => null);
}

extend.addEventListener("submit", (event) => {
  event.preventDefault();
  dialog.close();
  sign();
});
dialog.addEventListener("cancel", (event) => {
  if (isOver) event.preventDefault();
});
// Browsers close at a second Escape whatever the page says.
dialog.addEventListener("close", () => isOver && dialog.showModal());
for (const type of ["pointerdown", "keydown"]) {
  addEventListener(type, () => !isOver && !dialog.open && Date.now() - signedAt > SIGN_EVERY && sign(), {passive: true});
}

const live = new Live(socketUrl(dialog.dataset.socket));
live.addEventListener("state", ({detail}) => onState(detail));
live.addEventListener("end", ({detail}) => onEnd(detail));
addEventListener("visibilitychange", () => document.visibilityState === "visible" && live.wake());
addEventListener("pageshow", (event) => event.persisted && live.wake());
