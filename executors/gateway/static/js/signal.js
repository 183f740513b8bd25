/** The picture of a sound: waveform, mel spectrogram, time axis, and marks. */

import { el, put, svg } from "./dom.js";
import { place, span } from "./format.js";
import { watch } from "./player.js";

const STEPS_S = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
const TICK_PX = 56;
/** Pointers that move less than this mean a click. */
const CLICK_PX = 5;

const nearby = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting) {
        nearby.unobserve(target);
        target.dispatchEvent(new CustomEvent("nearby"));
      }
    }
  },
  { rootMargin: "300px" },
);

/**
 * Call a function once, when an element comes near the part of the page that is seen.
 *
 * @returns {Function} ends the wait
 */
export function whenNear(element, act) {
  element.addEventListener("nearby", act, { once: true });
  nearby.observe(element);
  return () => nearby.unobserve(element);
}

/** Waveform and spectrogram of a stretch of a sound. */
export class Signal {
  /**
   * @param {StoredSound|FileSound} sound
   * @param {object} [options]
   * @param {number} [options.start] of the stretch, seconds
   * @param {number} [options.end] default: all that there is
   * @param {{start: number, end: number}} [options.mark] the marked part
   * @param {string} [options.name] text for screen readers
   * @param {(start: number, end: number) => void} [options.onSelect] a part was drawn with the pointer
   * @param {(at: number) => void} [options.onPoint] a place was clicked
   */
  constructor(sound, { start = 0, end, mark, name, onSelect, onPoint } = {}) {
    Object.assign(this, { sound, start, end, mark, onSelect, onPoint });
    this.address = null;
    this.wave = svg("path", {});
    this.picture = el("img", { class: "mel", alt: `Mel spectrogram of ${name || sound.name}`, draggable: "false", hidden: true });
    this.before = el("div", { class: "shade" });
    this.after = el("div", { class: "shade" });
    this.region = el("div", { class: "region", hidden: true });
    this.tag = el("span", { class: "tag", hidden: true });
    this.head = el("div", { class: "head", hidden: true });
    const lines = svg("svg", { class: "wave", viewBox: "0 -1 600 2", preserveAspectRatio: "none", "aria-hidden": "true" }, this.wave);
    this.plot = el("div", { class: "plot" }, lines, this.picture, this.before, this.after, this.region, this.head);
    this.axis = el("div", { class: "axis", "aria-hidden": "true" });
    this.element = el("div", { class: "signal loading" }, this.plot, this.axis);
    if (onSelect || onPoint) this.listen();
    this.ended = [watch((playing) => this.follow(playing))];
    this.loaded = new Promise((resolve) => {
      this.forget = whenNear(this.element, () => resolve(this.load()));
    });
  }

  /** Stop listening, and release the picture. */
  destroy() {
    this.forget();
    this.widths?.disconnect();
    for (const end of this.ended) end();
    this.drop();
    this.gone = true;
  }

  /** The axis has as many labels as the width takes. */
  watchWidth() {
    this.widths = new ResizeObserver(() => !this.gone && this.drawAxis());
    this.widths.observe(this.element);
  }

  drop() {
    if (this.address?.startsWith("blob:")) URL.revokeObjectURL(this.address);
    this.address = null;
  }

  async load() {
    try {
      const { peaks, duration_s: durationS } = await this.sound.waveform(this.start || undefined, this.end);
      this.end ??= durationS;
      this.drawWave(peaks);
      this.drawAxis();
      this.show(this.mark);
      if (!this.gone) this.watchWidth();
      const width = Math.min(1200, Math.max(200, Math.round(this.plot.clientWidth / 100) * 100 || 600));
      const address = await this.sound.spectrogram(this.start, this.end, width);
      if (this.gone) {
        if (address.startsWith("blob:")) URL.revokeObjectURL(address);
        return;
      }
      this.address = address;
      this.picture.src = address;
      this.picture.hidden = false;
    } catch (error) {
      this.element.classList.add("failed");
      // Errors of a query are shown with the results.
      const why = this.sound.id ? `: ${error.detail || error.message}` : ".";
      put(this.axis, el("span", {}, `No waveform available${why}`));
      this.axis.removeAttribute("aria-hidden");
    } finally {
      this.element.classList.remove("loading");
    }
  }

  drawWave(peaks) {
    const step = 600 / Math.max(1, peaks.length);
    // Quiet sounds are drawn as high as loud ones, to show their shape.
    const loudest = peaks.reduce((most, [low, high]) => Math.max(most, -low, high), 0.02);
    const y = (value) => (-value / loudest).toFixed(3);
    const up = peaks.map(([, high], index) => `${(index * step).toFixed(1)} ${y(Math.max(high, 0.004))}`);
    const down = peaks.map(([low], index) => `${(index * step).toFixed(1)} ${y(Math.min(low, -0.004))}`);
    this.wave.setAttribute("d", `M${[...up, ...down.reverse()].join("L")}Z`);
  }

  drawAxis() {
    const room = Math.max(2, Math.floor((this.plot.clientWidth || 600) / TICK_PX));
    const whole = this.end - this.start;
    const asClock = this.end > 60;
    // A clock has no parts of a second.
    const step = STEPS_S.find((candidate) => whole / candidate <= room && (candidate >= 1 || !asClock)) || whole;
    const ticks = [];
    for (let at = Math.ceil(this.start / step) * step; at < this.end - 0.3 * step; at += step) {
      const text = place(at, { precise: step < 1, asClock });
      const tick = el("span", { class: "tick" }, ticks.length || asClock || this.mark ? text : `${text} s`);
      tick.style.left = `${this.part(at)}%`;
      ticks.push(tick);
    }
    // Last, so that it covers the ticks below it.
    put(this.axis, ...ticks, this.tag);
  }

  /** Mark a part, and dim the rest; null marks nothing. */
  show(mark) {
    this.mark = mark;
    if (this.end === undefined) return;
    const marked = Boolean(mark) && (mark.start > this.start || mark.end < this.end);
    this.region.hidden = this.tag.hidden = !mark;
    this.before.hidden = this.after.hidden = !marked;
    if (!mark) return;
    const [left, right] = [this.part(mark.start), this.part(mark.end)];
    this.region.style.left = `${left}%`;
    this.region.style.width = `${right - left}%`;
    this.before.style.width = `${left}%`;
    this.after.style.width = `${100 - right}%`;
    this.after.style.left = `${right}%`;
    this.tag.textContent = span(mark.start, mark.end);
    // The flag hangs below the part, at the side where there is room for it.
    const leftwards = left > 60;
    this.tag.style.left = leftwards ? "auto" : `${left}%`;
    this.tag.style.right = leftwards ? `${100 - right}%` : "auto";
  }

  /** @returns {number} where a second lies, in per cent of the width */
  part(at) {
    const whole = this.end - this.start || 1;
    return Math.min(100, Math.max(0, (100 * (at - this.start)) / whole));
  }

  follow(playing) {
    const here = playing && playing.sound === this.sound && playing.at >= this.start && playing.at <= this.end;
    this.head.hidden = !here;
    if (here) this.head.style.left = `${this.part(playing.at)}%`;
  }

  listen() {
    this.plot.classList.add(this.onSelect ? "selectable" : "clickable");
    this.plot.addEventListener("pointerdown", (down) => {
      if (down.button !== 0 || this.end === undefined) return;
      const [from, box] = [down.clientX, this.plot.getBoundingClientRect()];
      const second = (x) => this.start + ((this.end - this.start) * Math.min(1, Math.max(0, (x - box.left) / box.width)));
      const drawn = (x) => [second(Math.min(from, x)), second(Math.max(from, x))].map((value) => Math.round(value * 10) / 10);
      const old = this.mark;
      this.plot.setPointerCapture(down.pointerId);
      const move = (event) => {
        if (!this.onSelect || Math.abs(event.clientX - from) < CLICK_PX) return;
        const [start, end] = drawn(event.clientX);
        this.show({ start, end });
      };
      const stop = (event) => {
        this.plot.removeEventListener("pointermove", move);
        this.plot.removeEventListener("pointerup", stop);
        this.plot.removeEventListener("pointercancel", stop);
        const far = Math.abs(event.clientX - from) >= CLICK_PX;
        if (event.type === "pointercancel") this.show(old);
        else if (far && this.onSelect) this.onSelect(...drawn(event.clientX));
        else if (!far) this.onPoint?.(second(from));
      };
      this.plot.addEventListener("pointermove", move);
      this.plot.addEventListener("pointerup", stop);
      this.plot.addEventListener("pointercancel", stop);
    });
  }
}
