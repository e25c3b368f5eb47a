/** For tests: every stop of the Tab key on this page, from top to bottom, and what each looks like with focus and without. */
(() => {
  const CAN = "a[href], area[href], button, input, select, textarea, summary, iframe, [tabindex], [contenteditable=true]";

  /** Of radio buttons of one name the chosen one is a stop, or while none is the first. */
  function isStopOfGroup(radio) {
    const group = [...document.querySelectorAll(`input[type=radio][name="${CSS.escape(radio.name)}"]`)].filter(
      (one) => one.form === radio.form && !one.disabled,
    );
    return radio === (group.find((one) => one.checked) ?? group[0]);
  }

  function isStop(element) {
    return (
      element.tabIndex >= 0 &&
      !element.matches(":disabled, [inert] *") &&
      element.checkVisibility({visibilityProperty: true}) &&
      (element.type !== "radio" || isStopOfGroup(element))
    );
  }

  /** A field that is drawn by its label or by what follows it shows focus there. */
  function looks(element) {
    const drawn = [element, element.nextElementSibling, element.parentElement, ...(element.labels ?? [])].filter(Boolean);
    return drawn.map((one) => {
      const {outlineStyle, outlineWidth, outlineColor, boxShadow} = getComputedStyle(one);
      return outlineStyle === "none" ? boxShadow : [outlineStyle, outlineWidth, outlineColor, boxShadow].join(" ");
    }).join("; ");
  }

  function isInSight(element) {
    const boxes = [element, ...(element.labels ?? [])].map((one) => one.getBoundingClientRect());
    return boxes.some(({left, right, top, bottom}) => right > 0 && bottom > 0 && left < innerWidth && top < innerHeight);
  }

  const name = (element) => element.outerHTML.replace(/\s+/g, " ").slice(0, 120);

  // Tab goes on from what had the focus last: from the top.
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute("tabindex");
  const stops = [...document.querySelectorAll(CAN)].filter(isStop);
  const plain = new Map(stops.map((element) => [element, looks(element)]));
  globalThis.keys = {
    stops: stops.length,
    next: 0,
    /** Where the Tab key has led: null at the next stop or still in the last one, "end" behind the last one, else what is wrong. */
    arrive() {
      const here = document.activeElement;
      if (!here || here === document.body || here === document.documentElement) return this.end();
      if (this.next > 0 && here === stops[this.next - 1]) return null; // the next part of a date
      if (here === stops[0] && this.next > 0) return this.end();
      if (here !== stops[this.next]) {
        // Browsers let one stop at what scrolls and has nothing in it to stop at.
        if (!plain.has(here) && /auto|scroll/.test(getComputedStyle(here).overflow)) return null;
        return `after ${this.next ? name(stops[this.next - 1]) : "nothing"} comes ${name(here)} and not ${stops[this.next] ? name(stops[this.next]) : "the end"}`;
      }
      this.next += 1;
      if (looks(here) === plain.get(here)) return `focus is not seen on ${name(here)}`;
      return isInSight(here) ? null : `out of sight: ${name(here)}`;
    },
    end() {
      return this.next === stops.length ? "end" : `left before ${name(stops[this.next])}`;
    },
  };
  return stops.length;
})();
