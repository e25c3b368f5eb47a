/** Booking and moving: a press on the button shows that it counted, and counts once; when a hold ends, that is said. */

const form = document.getElementById("book");

form.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button?.dataset.busy) return;
  if (button.ariaBusy === "true") {
    event.preventDefault();
    return;
  }
  button.style.setProperty("min-inline-size", `${button.offsetWidth}px`);
  button.ariaBusy = "true";
  button.dataset.word = button.textContent;
  button.textContent = button.dataset.busy;
});

// Back to the page as it was: the button is as it was, too.
window.addEventListener("pageshow", () => {
  for (const button of form.querySelectorAll("button[aria-busy]")) {
    button.ariaBusy = null;
    button.textContent = button.dataset.word ?? button.textContent;
  }
});

let holdEnds;

function watchHold() {
  clearTimeout(holdEnds);
  const held = document.getElementById("held");
  if (!held) return;
  holdEnds = setTimeout(() => {
    held.hidden = true;
    document.getElementById("held-no-more").hidden = false;
  }, new Date(held.dataset.until) - Date.now());
}

document.body.addEventListener("htmx:afterSettle", watchHold);
document.body.addEventListener("htmx:oobAfterSwap", watchHold);
watchHold();
