/** Where nobody has said in which time zone they are, the browser knows; without a script they choose. */

const field = document.querySelector("[data-guess]");
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

const guess = () => {
  if (field.tagName === "SELECT" && ![...field.options].some((option) => option.value === zone)) {
    field.add(new Option(zone.split("/").pop().replaceAll("_", " "), zone));
  }
  if (field.value === zone) return;
  field.value = zone;
  field.dispatchEvent(new Event("change", { bubbles: true }));
};

// After htmx, which listens to the same event and came first.
if (field && zone) document.addEventListener("DOMContentLoaded", guess);
