/** Events of one recording on a time line: all of it above, and the chosen stretch below. */

import { coloursOf, drag, prepared, Redraw } from "./canvas.js";
import { button, el } from "./dom.js";
import { place } from "./format.js";

const STEPS_S = [0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400, 43_200];
const TICK_PX = 64;
const AXIS_PX = 18;
/** The shortest stretch that is shown. */
const LEAST_S = 2;
const FACTOR = 2;
/** Clicks that are farther from an event than this choose none. */
const NEAR_PX = 12;
const BAND_PX = 3;

/** The time line. Its owner shows the events with `show`, and is told of what is chosen. */
export class EventLine {
  /**
   * @param {number} durationS of the recording
   * @param {object} actions
   * @param {(event: object) => void} actions.onChoose an event was clicked
   * @param {(from: number, to: number) => void} actions.onStretch another stretch is shown
   */
  constructor(durationS, { onChoose, onStretch }) {
    Object.assign(this, { durationS, onChoose, onStretch });
    [this.from, this.to] = [0, durationS];
    [this.events, this.chosen, this.lowest] = [[], null, 0];
    this.overview = el("canvas", { class: "overview", "aria-hidden": "true" });
    this.detail = el("canvas", { class: "detail", "aria-hidden": "true" });
    const keys = "Arrow keys move, plus and minus zoom, 0 shows everything. N and P choose the next and the previous event, Enter plays it, C compares it with the query.";
    const group = { class: "line", role: "group", tabindex: "0", "aria-label": "Time line", "aria-describedby": "line-keys", onkeydown: (event) => this.press(event) };
    this.element = el(
      "div",
      group,
      this.overview,
      this.detail,
      el(
        "div",
        { class: "row" },
        button(null, "+", () => this.zoom(1 / FACTOR), { label: "Zoom in" }),
        button(null, "−", () => this.zoom(FACTOR), { label: "Zoom out" }),
        button(null, "All", () => this.stretch(0, this.durationS), { label: "Show the whole recording" }),
      ),
      el("p", { class: "quiet small", id: "line-keys" }, keys),
    );
    this.listen();
    this.redraw = new Redraw(this.detail, () => this.paint());
  }

  destroy() {
    this.redraw.destroy();
  }

  /** Show these events, whose scores are not below the lowest; one may be chosen. */
  show(events, chosen, lowest) {
    Object.assign(this, { events, chosen, lowest });
    this.draw();
  }

  /** Show a stretch of the recording, in seconds. */
  stretch(from, to) {
    const width = Math.min(this.durationS, Math.max(LEAST_S, to - from));
    this.from = Math.max(0, Math.min(from, this.durationS - width));
    this.to = this.from + width;
    this.onStretch(this.from, this.to);
    this.draw();
  }

  /** Zoom around a second; by default the chosen event, or the middle. */
  zoom(factor, around = this.middle()) {
    const part = (around - this.from) / (this.to - this.from);
    const width = (this.to - this.from) * factor;
    this.stretch(around - part * width, around + (1 - part) * width);
  }

  middle() {
    const at = this.chosen && (this.chosen.start_s + this.chosen.end_s) / 2;
    return at !== null && at > this.from && at < this.to ? at : (this.from + this.to) / 2;
  }

  /** Move the stretch so that an event is inside. */
  reveal({ start_s: start, end_s: end }) {
    if (start >= this.from && end <= this.to) return;
    const half = Math.max(this.to - this.from, 1.2 * (end - start)) / 2;
    this.stretch((start + end) / 2 - half, (start + end) / 2 + half);
  }

  press(event) {
    if (event.target !== this.element || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = (this.to - this.from) / 4;
    const act = {
      ArrowLeft: () => this.stretch(this.from - step, this.to - step),
      ArrowRight: () => this.stretch(this.from + step, this.to + step),
      "+": () => this.zoom(1 / FACTOR),
      "=": () => this.zoom(1 / FACTOR),
      "-": () => this.zoom(FACTOR),
      0: () => this.stretch(0, this.durationS),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  listen() {
    const second = (event) => {
      const box = this.detail.getBoundingClientRect();
      return this.from + ((this.to - this.from) * (event.clientX - box.left)) / box.width;
    };
    this.detail.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.zoom(2 ** (Math.max(-100, Math.min(100, event.deltaY)) / 200), second(event));
      },
      { passive: false },
    );
    drag(this.detail, (down) => {
      const [from, to, x] = [this.from, this.to, down.clientX];
      const perPx = (to - from) / this.detail.clientWidth;
      return {
        move: (event) => this.stretch(from - (event.clientX - x) * perPx, to - (event.clientX - x) * perPx),
        click: (event) => this.point(second(event), perPx),
      };
    });
    drag(this.overview, (down) => {
      const centre = (event) => {
        const box = this.overview.getBoundingClientRect();
        const at = (this.durationS * (event.clientX - box.left)) / box.width;
        const half = (this.to - this.from) / 2;
        this.stretch(at - half, at + half);
      };
      centre(down);
      return { move: centre, click: () => {} };
    });
  }

  /** Choose the event at a second, or the nearest close to it. */
  point(at, perPx) {
    const far = (event) => Math.max(event.start_s - at, at - event.end_s, 0);
    let best = null;
    for (const event of this.events) if (!best || far(event) < far(best)) best = event;
    if (best && far(best) <= NEAR_PX * perPx) this.onChoose(best);
  }

  draw() {
    this.redraw.ask();
  }

  paint() {
    const colours = coloursOf(this.element);
    this.drawOverview(colours);
    this.drawDetail(colours);
  }

  drawOverview(colours) {
    const { paint, width, height } = prepared(this.overview);
    const x = (at) => (width * at) / this.durationS;
    this.bars(paint, x, height, colours, 1);
    paint.strokeStyle = colours.chosen;
    paint.lineWidth = 2;
    paint.strokeRect(x(this.from) + 1, 1, Math.max(4, x(this.to) - x(this.from)) - 2, height - 2);
  }

  drawDetail(colours) {
    const { paint, width, height } = prepared(this.detail);
    const x = (at) => (width * (at - this.from)) / (this.to - this.from);
    this.axis(paint, x, width, height, colours);
    this.bars(paint, x, height - AXIS_PX, colours, 2);
  }

  /** Draw each event as high as its score. */
  bars(paint, x, height, colours, least) {
    const high = ({ score }) => height * (0.25 + 0.75 * Math.max(0, (score - this.lowest) / (1 - this.lowest || 1)));
    const bar = (event, colour) => {
      paint.fillStyle = colour;
      const size = high(event);
      paint.fillRect(x(event.start_s), height - size, Math.max(least, x(event.end_s) - x(event.start_s)), size);
    };
    const [from, to] = x(0) < 0 ? [this.from, this.to] : [0, this.durationS];
    for (const event of this.events) if (event.end_s >= from && event.start_s <= to) bar(event, colours.event);
    if (!this.chosen) return;
    // A band behind it, so that it is seen among many.
    const left = x(this.chosen.start_s);
    const size = Math.max(2 * least, x(this.chosen.end_s) - left);
    paint.globalAlpha = 0.3;
    paint.fillStyle = colours.chosen;
    paint.fillRect(left - BAND_PX, 0, size + 2 * BAND_PX, height);
    paint.globalAlpha = 1;
    bar(this.chosen, colours.chosen);
  }

  axis(paint, x, width, height, colours) {
    const whole = this.to - this.from;
    const room = Math.max(1, Math.floor(width / TICK_PX));
    const step = STEPS_S.find((candidate) => whole / candidate <= room) || whole;
    paint.font = "11px system-ui, sans-serif";
    [paint.fillStyle, paint.strokeStyle] = [colours.text, colours.edge];
    for (let at = Math.ceil(this.from / step) * step; at < this.to; at += step) {
      const left = Math.round(x(at)) + 0.5;
      paint.beginPath();
      paint.moveTo(left, 0);
      paint.lineTo(left, height);
      paint.stroke();
      const text = place(at, { precise: step < 1, asClock: step >= 1 && this.to > 60 });
      if (left + paint.measureText(text).width + 3 <= width) paint.fillText(text, left + 3, height - 5);
    }
  }
}
