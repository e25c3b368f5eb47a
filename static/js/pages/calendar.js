/**
 * The calendar: arrow keys go through the grid; a visit is moved by mouse, long press or keys, to where it is free;
 * looked at anew each minute. Without this script all of it is links and forms.
 */

const REFRESH_EVERY = 60_000;
const HOLD_FOR = 450; // ms that a finger rests before it picks up instead of scrolling
const SLACK = 6; // px within which a press is no drag
const EDGE = 56; // px from the edge of the window where a drag scrolls
const SCROLL_BY = 14;

const wide = matchMedia("(min-width: 48.01rem)");
const dialog = document.querySelector("#move");
const calendar = () => document.querySelector("#calendar");
const grid = () => document.querySelector("#grid");
const columns = () => [...document.querySelectorAll("#grid [data-column]")];

let press = null; // a pointer that is down on a visit: {visit, id, x, y, grip, timer}
let move = null; // the visit that is picked up: {visit, places, column, index, ghost, ready, asks}
let current = null; // the id of the link that Tab leads to
let wanted = null; // the id of the visit to be at after the next refresh
let pointer = {x: 0, y: 0};

function say(words) {
  document.querySelector("#status").textContent = words;
}

// --- arrow keys in the grid

function linksOf(column) {
  return [...column.querySelectorAll(".cal-grid > a")].filter((link) => link.getClientRects().length);
}

/** One stop for Tab in the grid; in the list of a narrow window each link is one. */
function rove() {
  const links = columns().flatMap(linksOf);
  const first = links.find((link) => link.id === current) ?? links.find((link) => link.id) ?? links[0];
  for (const link of links) link.tabIndex = !wide.matches || link === first ? 0 : -1;
}

function goTo(link) {
  if (!link) return;
  for (const other of document.querySelectorAll('#grid a[tabindex="0"]')) other.tabIndex = -1;
  link.tabIndex = 0;
  current = link.id;
  link.focus();
}

function middle(element) {
  const {top, height} = element.getBoundingClientRect();
  return top + height / 2;
}

function nearest(list, distance) {
  return list.reduce((best, one) => (best === undefined || distance(one) < distance(best) ? one : best), undefined);
}

function step(link, key) {
  const column = link.closest("[data-column]");
  const links = linksOf(column);
  const at = links.indexOf(link);
  if (key === "ArrowUp") return links[at - 1];
  if (key === "ArrowDown") return links[at + 1];
  if (key === "Home") return links[0];
  if (key === "End") return links.at(-1);
  const all = columns().filter((one) => one === column || linksOf(one).length);
  const there = all[all.indexOf(column) + sideways(key)];
  return there && nearest(linksOf(there), (one) => Math.abs(middle(one) - middle(link)));
}

function sideways(key) {
  const forward = getComputedStyle(document.documentElement).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
  return key === forward ? 1 : -1;
}

// --- a visit that is picked up

function minutesOf(css) {
  return 60 * Number(/\bat-(\d+)/.exec(css)[1]) + Number(/\bpast-(\d+)/.exec(css)?.[1] ?? 0);
}

/** Ask the server where the visit may go, and show it. Resolves to whether there is anywhere. */
async function pickUp(visit) {
  const column = visit.closest("[data-column]");
  const picked = (move = {visit, places: {}, column, index: -1, ghost: null});
  visit.classList.add("is-picked");
  calendar().classList.add("is-moving");
  try {
    const answer = await fetch(`${visit.dataset.move}places/?${calendar().dataset.places}`);
    if (!answer.ok) throw new Error(answer.status);
    picked.places = (await answer.json()).places;
  } catch {
    if (move === picked) letGo(dialog.dataset.gone);
    return false;
  }
  if (move !== picked) return false;
  if (!Object.keys(picked.places).length) {
    letGo(grid().dataset.nowhere);
    return false;
  }
  for (const one of columns()) {
    for (const [, css] of picked.places[one.dataset.column] ?? []) {
      const mark = document.createElement("span");
      mark.className = `place ${css}`;
      one.querySelector(".cal-grid").append(mark);
    }
  }
  return true;
}

function placesIn(column) {
  return move.places[column.dataset.column] ?? [];
}

function closest(column, minutes) {
  const places = placesIn(column);
  return places.indexOf(nearest(places, ([, css]) => Math.abs(minutesOf(css) - minutes)));
}

/** Show the visit at one of its places. */
function show(column, index) {
  if (index < 0 || (move.column === column && move.index === index)) return;
  const [, css, words] = placesIn(column)[index];
  move.column = column;
  move.index = index;
  move.ghost ??= ghostOf(move.visit);
  const kept = [...move.ghost.classList].filter((name) => !/^(at|past|for|and)-/.test(name));
  move.ghost.className = `${kept.join(" ")} ${css}`;
  move.ghost.querySelector("b > span").textContent = words;
  column.querySelector(".cal-grid").append(move.ghost);
}

function ghostOf(visit) {
  const ghost = visit.cloneNode(true);
  ghost.removeAttribute("id");
  ghost.removeAttribute("data-move");
  ghost.removeAttribute("href");
  ghost.ariaHidden = "true";
  ghost.classList.remove("is-picked");
  for (const name of ["half-0", "half-1", "third-0", "third-1", "third-2"]) ghost.classList.remove(name);
  ghost.classList.add("ghost");
  return ghost;
}

/** Put it back as it was, and say what there is to say. */
function letGo(words = "") {
  const {visit, ghost} = move;
  move = null;
  ghost?.remove();
  for (const mark of document.querySelectorAll("#grid .place")) mark.remove();
  visit.classList.remove("is-picked");
  calendar().classList.remove("is-moving");
  if (words) say(words);
}

/** Ask, in a dialog that says who will be told. */
async function drop() {
  const picked = move;
  picked.asks = true;
  const [value] = placesIn(move.column)[move.index];
  const practitioner = move.column.dataset.column.split("/")[1];
  const url = `${move.visit.dataset.move}?${new URLSearchParams({start: value, practitioner})}`;
  const asked = globalThis.htmx.ajax("GET", url, {target: "#move-body", swap: "outerHTML"});
  await asked.catch(() => {}); // said by onFailed
  if (move !== picked) return;
  dialog.showModal();
  document.querySelector("#move-h")?.focus();
}

function pickUpByKey(visit) {
  const there = pickUp(visit);
  move.ready = there.then((isThere) => isThere && showFirst(visit));
}

/** Begin at the place nearest to where the visit is. */
function showFirst(visit) {
  const what = visit.querySelector("b > span").textContent;
  const start = move.column;
  const column = placesIn(start).length ? start : columns().find((one) => placesIn(one).length);
  show(column, closest(column, minutesOf(visit.className)));
  say(`${grid().dataset.picked.replace("{what}", what)} ${placesIn(column)[move.index][2]}`);
}

/** A key for the visit that is picked up. What is pressed before its places are there counts once they are. */
async function onMoveKey(key) {
  const picked = move;
  if (key === "Escape") {
    letGo(grid().dataset.stays);
    return;
  }
  await picked.ready;
  if (move !== picked || picked.asks) return;
  if (key === "Enter") drop();
  else moveByKey(key);
}

function moveByKey(key) {
  const here = placesIn(move.column);
  if (key === "ArrowUp" || key === "ArrowDown") {
    show(move.column, Math.min(Math.max(move.index + (key === "ArrowUp" ? -1 : 1), 0), here.length - 1));
  } else {
    const all = columns().filter((one) => placesIn(one).length);
    const there = all[all.indexOf(move.column) + sideways(key)];
    if (there) show(there, closest(there, minutesOf(here[move.index][1])));
  }
  const words = placesIn(move.column)[move.index][2];
  const whose = move.column.querySelector(".cal-h b").textContent;
  say(calendar().dataset.view === "day" ? `${words}, ${whose}` : words);
  move.ghost.scrollIntoView({block: "nearest", inline: "nearest"});
}

function onKeyDown(event) {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") undo(event);
  if (dialog.open || event.ctrlKey || event.altKey || event.metaKey) return;
  if (move && !press) {
    if (!/^(Escape$|Enter$|Arrow)/.test(event.key)) return;
    event.preventDefault();
    onMoveKey(event.key);
    return;
  }
  const link = event.target.closest?.("#grid .cal-grid > a");
  if (!link || !wide.matches) return;
  if (event.key.toLowerCase() === "m" && link.dataset.move) {
    event.preventDefault();
    pickUpByKey(link);
  } else if (/^(Arrow|Home$|End$)/.test(event.key)) {
    event.preventDefault();
    goTo(step(link, event.key));
  }
}

/** The last move, while the page offers it; in a field the browser's own undo stays. */
function undo(event) {
  const button = document.querySelector("#undo");
  if (!button || move || dialog.open || event.shiftKey || event.target.closest?.("input, textarea, select")) return;
  event.preventDefault();
  button.click();
}

// --- drag: a mouse that moves, a finger that rested

function onPointerDown(event) {
  const visit = event.target.closest?.("[data-move]");
  if (!visit || !event.isPrimary || event.button !== 0 || !wide.matches || dialog.open) return;
  if (move) letGo();
  const grip = event.clientY - visit.getBoundingClientRect().top;
  press = {visit, id: event.pointerId, x: event.clientX, y: event.clientY, grip, timer: 0, drags: false};
  pointer = {x: event.clientX, y: event.clientY};
  if (event.pointerType !== "mouse") press.timer = setTimeout(startDrag, HOLD_FOR);
}

async function startDrag() {
  clearTimeout(press.timer);
  press.drags = true;
  const ready = pickUp(press.visit);
  move.ready = ready;
  if (await ready) follow();
}

function onPointerMove(event) {
  if (!press || event.pointerId !== press.id) return;
  pointer = {x: event.clientX, y: event.clientY};
  const far = Math.hypot(event.clientX - press.x, event.clientY - press.y) > SLACK;
  if (press.drags) {
    if (move) follow();
    if (event.clientY < EDGE) scrollBy(0, -SCROLL_BY);
    if (event.clientY > innerHeight - EDGE) scrollBy(0, SCROLL_BY);
  } else if (far && event.pointerType === "mouse") {
    startDrag();
  } else if (far) {
    endPress();
  }
}

/** The place nearest to the pointer, in the column that it is over. */
function follow() {
  const over = columns().find((column) => {
    const {left, right} = column.getBoundingClientRect();
    return left <= pointer.x && pointer.x < right;
  });
  if (!over || !press) return;
  const {top, height} = over.querySelector(".cal-grid").getBoundingClientRect();
  const minutes = ((pointer.y - press.grip - top) / height) * 60 * Number(grid().dataset.hours);
  show(over, closest(over, minutes));
}

async function onPointerUp(event) {
  if (!press || event.pointerId !== press.id) return;
  const {drags} = press;
  if (!drags) {
    endPress();
    return;
  }
  // The click that ends a drag opens nothing.
  addEventListener("click", stop, {capture: true, once: true});
  setTimeout(() => removeEventListener("click", stop, {capture: true}), 50);
  const picked = move;
  if (await picked?.ready) {
    follow();
    if (move === picked && move.index >= 0) drop();
    else if (move === picked) letGo(grid().dataset.stays);
  }
  endPress();
}

function endPress() {
  clearTimeout(press?.timer);
  press = null;
}

function stop(event) {
  event.preventDefault();
  event.stopPropagation();
}

// --- the dialog, and the page as time goes by

function onClick(event) {
  if (!event.target.closest?.("#move [data-close]")) return;
  event.preventDefault();
  dialog.close();
}

/** The dialog is closed, and the visit stays where it was. */
function putBack() {
  if (!move) return;
  const {visit} = move;
  letGo(grid().dataset.stays);
  visit.focus();
}

/** Moved by drop, or moved back: then the server says which visit. */
function onMoved({detail}) {
  wanted = move?.visit.id.replace(/-rest$/, "") ?? (detail?.visit && `v-${detail.visit}`);
  if (move) letGo();
  dialog.close();
  globalThis.htmx.trigger("#calendar", "calendar:refresh");
}

function onSettled(event) {
  // What is in the way of moving back is asked about as at any move.
  if (event.target.id === "move-body" && !dialog.open && !move && event.target.querySelector("[role='alert']")) {
    dialog.showModal();
    event.target.querySelector("[role='alert']").focus();
  }
  if (event.target.id !== "calendar" && !event.detail.elt?.contains?.(calendar())) return;
  prepare();
  if (!wanted) return;
  // It may have gone to days that are not shown.
  goTo(document.getElementById(wanted) ?? document.querySelector("#grid a[tabindex='0']"));
  const notices = [...document.querySelectorAll("#calendar .notices .banner > span")];
  say(notices.map((notice) => notice.textContent.trim()).join(" "));
  wanted = null;
}

function onFailed() {
  if (dialog.open) dialog.close();
  if (move) letGo();
  document.querySelector("#alert").textContent = dialog.dataset.gone;
}

/** Not while somebody is at something in it. */
function refresh() {
  const busy = move || dialog.open || document.querySelector("#calendar details.menu[open]");
  const inside = document.querySelector("#grid, .team")?.contains(document.activeElement);
  if (busy || inside || document.visibilityState !== "visible") return;
  globalThis.htmx.trigger("#calendar", "calendar:refresh");
}

function prepare() {
  const keys = document.querySelector("#keys-box");
  if (keys) keys.hidden = false;
  rove();
}

addEventListener("keydown", onKeyDown);
addEventListener("pointerdown", onPointerDown);
addEventListener("pointermove", onPointerMove);
addEventListener("pointerup", onPointerUp);
addEventListener("pointercancel", () => {
  const dragged = press?.drags;
  endPress();
  if (dragged && move) letGo(grid().dataset.stays);
});
addEventListener("touchmove", (event) => press?.drags && event.preventDefault(), {passive: false});
addEventListener("contextmenu", (event) => press && event.preventDefault());
addEventListener("dragstart", (event) => event.target.closest?.("[data-move]") && event.preventDefault());
addEventListener("click", onClick);
dialog.addEventListener("close", putBack);
// At once, not when the browser comes to say that it has closed: the next key is for the page.
dialog.addEventListener("cancel", (event) => {
  event.preventDefault();
  dialog.close();
  putBack();
});
document.body.addEventListener("calendar:moved", onMoved);
document.body.addEventListener("htmx:afterSettle", onSettled);
for (const failure of ["htmx:sendError", "htmx:responseError"]) document.body.addEventListener(failure, onFailed);
addEventListener("pageshow", (event) => event.persisted && refresh());
wide.addEventListener("change", rove);
setInterval(refresh, REFRESH_EVERY);
prepare();
