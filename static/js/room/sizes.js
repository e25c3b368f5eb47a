/**
 * How large the page shows the others' pictures, so that no more is sent than can be seen. Knows no connection.
 *
 *   const sizes = new Sizes((heights) => session.prefer(heights));
 *   sizes.watch(new Map([[0, video]]));  // slot index → the element that shows it
 *
 * A height is that of the short side of the picture as the screen would need it, in device pixels; 0 says that
 * nobody looks.
 */

const SETTLED_AFTER = 300; // a window that is being dragged says nothing until it rests
const WORTH_TELLING = 0.1;
const SHARPEST = 2; // more device pixels for one of the page's nobody sees in a moving picture

export class Sizes {
  #tell;
  #shown = new Map();
  #told = new Map();
  #timer = 0;
  #observer = new ResizeObserver(() => this.#soon());

  /** `tell` is called with slot index → height, for what has changed. */
  constructor(tell) {
    this.#tell = tell;
    document.addEventListener("visibilitychange", () => this.#now());
    for (const type of ["enterpictureinpicture", "leavepictureinpicture"]) {
      document.addEventListener(type, () => this.#now(), true);
    }
  }

  /** These elements are watched from now on, and no others. */
  watch(shown) {
    for (const [index, element] of this.#shown) {
      if (shown.get(index) === element) continue;
      this.#observer.unobserve(element);
      this.#told.delete(index); // whoever comes into this place is another picture
    }
    for (const [index, element] of shown) {
      if (this.#shown.get(index) === element) continue;
      this.#observer.observe(element);
      element.addEventListener("resize", () => this.#soon()); // the picture's own size
    }
    this.#shown = new Map(shown);
  }

  #soon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#now(), SETTLED_AFTER);
  }

  #now() {
    clearTimeout(this.#timer);
    const news = {};
    for (const [index, element] of this.#shown) {
      const height = heightOf(element);
      const before = this.#told.get(index);
      if (height === null || (before && Math.abs(height - before) <= before * WORTH_TELLING) || height === before) continue;
      this.#told.set(index, height);
      news[index] = height;
    }
    if (Object.keys(news).length) this.#tell(news);
  }
}

/** What the screen needs of the picture in a video element; null while it shows none. */
export function heightOf(video, {density = devicePixelRatio, away = isAway(video)} = {}) {
  if (away) return 0;
  const {clientWidth: width, clientHeight: height, videoWidth, videoHeight} = video;
  if (!width || !height) return null;
  const pixels = Math.min(density, SHARPEST);
  if (!videoWidth || !videoHeight) return Math.round(height * pixels);
  const fills = getComputedStyle(video).objectFit === "cover" ? Math.max : Math.min;
  return Math.round(fills(width / videoWidth, height / videoHeight) * Math.min(videoWidth, videoHeight) * pixels);
}

function isAway(video) {
  return document.visibilityState === "hidden" && document.pictureInPictureElement !== video;
}
