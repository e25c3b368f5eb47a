/** One's own picture can be put into any corner: dragged, or by arrow keys when it has the focus. */

const KEY = "telehealth.corner";
const DRAG = 8; // pixels before a press is a drag

/** `element` gets the classes `at-top` and `at-start`; without them it stands at the bottom end. */
export function movable(element, home) {
  let {top, start} = {...home, ...kept()};
  const put = (where) => {
    ({top, start} = {top, start, ...where});
    element.classList.toggle("at-top", top);
    element.classList.toggle("at-start", start);
    keep({top, start});
  };
  element.addEventListener("keydown", (event) => {
    const rtl = getComputedStyle(element).direction === "rtl";
    const where = {ArrowUp: {top: true}, ArrowDown: {top: false}, ArrowLeft: {start: !rtl}, ArrowRight: {start: rtl}}[event.key];
    if (!where) return;
    event.preventDefault();
    put(where);
  });
  element.addEventListener("pointerdown", (press) => {
    element.setPointerCapture(press.pointerId);
    element.addEventListener("pointerup", (release) => {
      const far = Math.hypot(release.clientX - press.clientX, release.clientY - press.clientY) > DRAG;
      if (far) put(cornerAt(element.parentElement.getBoundingClientRect(), release));
    }, {once: true});
  });
  put({});
}

function cornerAt({left, top, width, height}, {clientX, clientY}) {
  const atLeft = clientX < left + width / 2;
  return {top: clientY < top + height / 2, start: atLeft === (document.dir !== "rtl")};
}

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}");
  } catch {
    return {};
  }
}

function keep(corner) {
  try {
    localStorage.setItem(KEY, JSON.stringify(corner));
  } catch {
    // Private windows may refuse.
  }
}
