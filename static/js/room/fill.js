/** Puts values into a sentence of the page: fill("{name} left", {name}). */
export function fill(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
}
