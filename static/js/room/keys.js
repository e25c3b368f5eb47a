/** The call's keyboard: single letters, off when the person says so; arrows within the toolbar. */

const KEY = "telehealth.keys";

export function keysAreOn() {
  return localStorage.getItem(KEY) !== "off";
}

export function turnKeys(on) {
  localStorage.setItem(KEY, on ? "on" : "off");
}

/**
 * Calls `actions[key]` for single keys pressed outside of fields, and `talk(true|false)` while Space is held.
 * A letter with a modifier is the browser's; a held key counts once.
 */
export function listen(actions, talk) {
  let talking = false;
  const end = () => {
    if (talking) talk(false);
    talking = false;
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || isTyping(event.target)) {
      if (talking && event.code === "Space") event.preventDefault();
      return;
    }
    if (!keysAreOn() || document.querySelector("dialog[open]")) return;
    if (event.code === "Space" && !isControl(event.target)) {
      event.preventDefault();
      talking = true;
      talk(true);
    } else if (actions[event.key.toLowerCase()]) {
      event.preventDefault();
      actions[event.key.toLowerCase()]();
    }
  });
  document.addEventListener("keyup", (event) => event.code === "Space" && end());
  globalThis.addEventListener("blur", end);
}

/** ARIA toolbar: one stop for Tab, arrows between the buttons. */
export function toolbar(element) {
  const buttons = () => [...element.querySelectorAll("button, a[href]")].filter((each) => each.offsetParent !== null);
  const stop = (chosen) => {
    for (const button of buttons()) button.tabIndex = button === chosen ? 0 : -1;
  };
  element.addEventListener("focusin", (event) => stop(event.target.closest("button, a[href]")));
  element.addEventListener("keydown", (event) => {
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    const all = buttons();
    const at = all.indexOf(document.activeElement);
    if (at < 0 || !(step || event.key === "Home" || event.key === "End")) return;
    event.preventDefault();
    const rtl = getComputedStyle(element).direction === "rtl" ? -1 : 1;
    const to = event.key === "Home" ? 0 : event.key === "End" ? all.length - 1 : at + step * rtl;
    all[(to + all.length) % all.length].focus();
  });
  stop(buttons()[0]);
}

function isTyping(target) {
  return target instanceof Element && target.closest("input, select, textarea, [contenteditable]") !== null;
}

/** Space presses what has the focus. */
function isControl(target) {
  return target instanceof Element && target.closest("button, a[href], summary") !== null;
}
