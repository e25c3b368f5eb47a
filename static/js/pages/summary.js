// The draft keeps itself while one types, and what is typed outlives a lost session or line. Without this script the
// two buttons do the same.

const PAUSE = 3000;
const form = document.getElementById("summary");
const saved = document.getElementById("saved");
const signedOut = document.getElementById("signed-out");
let timer = 0;
let isDirty = false;
let isLeaving = false;
let saving = null;

form.addEventListener("input", () => {
  isDirty = true;
  clearTimeout(timer);
  timer = setTimeout(keep, PAUSE);
});

// Saved first by itself: if that does not work the page stays, with all that is in it.
form.addEventListener("submit", async (event) => {
  if (isLeaving) return;
  event.preventDefault();
  clearTimeout(timer);
  const button = event.submitter;
  if (!["signed-out", "offline"].includes(await keep())) {
    isLeaving = true;
    form.requestSubmit(button);
  }
});

window.addEventListener("beforeunload", (event) => {
  if (isDirty && !isLeaving) event.preventDefault();
});

/** Save the draft, one after the other; tells how it went: "saved", "elsewhere", "long", "signed-out" or "offline". */
function keep() {
  saving = Promise.resolve(saving).then(save);
  return saving;
}

async function save() {
  isDirty = false;
  let how = "offline";
  try {
    how = await post();
    if (how === "refused") how = (await renewToken()) ? await post() : "signed-out";
    if (how === "refused") how = "signed-out";
  } catch {
    how = "offline";
  }
  signedOut.hidden = how !== "signed-out";
  if (how !== "saved") isDirty = true;
  if (how === "offline") timer = setTimeout(keep, PAUSE * 3);
  if (how !== "saved") saved.textContent = form.dataset[how] ?? "";
  return how;
}

async function post() {
  const body = new FormData(form);
  body.set("do", "autosave");
  const answer = await fetch(form.action, { method: "POST", body, redirect: "manual" });
  if (answer.ok) {
    const state = await answer.json();
    form.elements.seen.value = state.seen;
    saved.textContent = form.dataset.saved.replace("{time}", state.saved);
    return "saved";
  }
  const ways = { 409: "elsewhere", 422: "long", 403: "refused" };
  return ways[answer.status] ?? "offline";
}

/** Signing in anew makes the page's token void: take that of a new page. False where there is none. */
async function renewToken() {
  const answer = await fetch(form.action);
  if (!answer.ok || answer.redirected) return false;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const token = page.querySelector("#summary [name=csrfmiddlewaretoken]");
  if (token) form.elements.csrfmiddlewaretoken.value = token.value;
  return Boolean(token);
}
