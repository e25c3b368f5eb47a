/** Beside the waiting room: who is in line keeps the place, and is called here, on a page that has the banner. */

import {Live, socketUrl} from "./live.js";
import {play} from "./sounds.js";

/** Shows the page's banner (`checkin/_called.html`) when it is time; `onEnd`: the visit is over, or the link is. */
export function keepInLine(onEnd) {
  const banner = document.querySelector("#called");
  if (!banner) return;
  const live = new Live(socketUrl(banner.dataset.socket));
  live.addEventListener("state", ({detail}) => {
    if (detail.phase === "called" && banner.hidden) play("callIn");
    banner.hidden = detail.phase !== "called";
  });
  live.addEventListener("end", onEnd);
  addEventListener("visibilitychange", () => document.visibilityState === "visible" && live.wake());
}
