/** A frame that the Tab key has entered is outlined: what has the focus is inside it, and no selector of ours says so. */
function outline() {
  for (const frame of document.querySelectorAll("iframe")) {
    frame.classList.toggle("has-focus", frame === document.activeElement);
  }
}

addEventListener("blur", outline);
addEventListener("focus", outline);
