/** The booking page: a press on "Book visit" shows that it counted, and counts once. */

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
