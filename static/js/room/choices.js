/** The menu of cameras, microphones and speakers. */

const KINDS = {camera: "cameras", microphone: "microphones", speaker: "speakers"};

/** Fills the page's selects (`#camera-choice` and so on) from `local` and keeps them true. */
export function connectDevices(local, words) {
  const selects = Object.keys(KINDS).map((kind) => [kind, document.querySelector(`#${kind}-choice`)]);
  for (const [kind, select] of selects) {
    select.addEventListener("change", () => {
      if (kind === "speaker") local.chooseSpeaker(select.value);
      else local.choose(kind, select.value);
    });
  }
  const show = async () => {
    const choices = await local.choices();
    for (const [kind, select] of selects) offer(select, choices[KINDS[kind]], choices[kind], words);
  };
  local.addEventListener("change", show);
}

function offer(select, devices, chosen, words) {
  select.closest(".field").hidden = devices.length === 0;
  const options = devices.map(({deviceId, label}, i) => new Option(label || `${words.device} ${i + 1}`, deviceId));
  const same = options.length === select.length && options.every((each, i) => each.value === select.options[i].value && each.text === select.options[i].text);
  if (!same) select.replaceChildren(...options);
  if (devices.some(({deviceId}) => deviceId === chosen)) select.value = chosen;
}
