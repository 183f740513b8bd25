/** The plot of a timeline: a bar for each bucket of time, as high as its count. */

import { coloursOf, prepared, Redraw } from "./canvas.js";
import { el } from "./dom.js";

const AXIS_PX = 20;
const LEFT_PX = 34;
const TOP_PX = 8;
const LABEL_PX = 82;
const WIDEST_PX = 96;
/** Hours between two labels; from one day on, labels are dates. */
const HOUR_STEPS = [1, 2, 3, 6, 12, 24, 48, 96, 168, 336, 672, 1344, 2688, 5376, 10_752];

/** The plot. Its owner shows buckets with `show`. */
export class TimePlot {
  /**
   * @param {object} actions
   * @param {(bucket: object) => void} actions.onChoose a bucket was chosen with the keyboard
   * @param {(bucket: object|null) => void} actions.onPoint the pointer is over a bucket
   * @param {(bucket: object) => void} actions.onOpen
   */
  constructor({ onChoose, onPoint, onOpen }) {
    Object.assign(this, { onChoose, onPoint, onOpen });
    [this.buckets, this.by, this.chosen] = [[], "day", null];
    this.canvas = el("canvas", { class: "bars", "aria-hidden": "true" });
    const keys = "Left and right arrow keys choose a bar, Enter lists its events. Click a bar for the same. The table below has the same counts.";
    this.element = el(
      "div",
      { class: "line", role: "group", tabindex: "0", "aria-label": "Plot of counts over time", "aria-describedby": "plot-keys", onkeydown: (event) => this.press(event) },
      this.canvas,
      el("p", { class: "quiet small", id: "plot-keys" }, keys),
    );
    this.canvas.addEventListener("click", (event) => {
      const bucket = this.under(event);
      if (bucket?.count) this.onOpen(bucket);
    });
    this.canvas.addEventListener("pointermove", (event) => this.onPoint(this.under(event)));
    this.canvas.addEventListener("pointerleave", () => this.onPoint(null));
    this.redraw = new Redraw(this.canvas, () => this.paint());
  }

  destroy() {
    this.redraw.destroy();
  }

  /** Show these buckets; one may be chosen. */
  show(buckets, by, chosen) {
    Object.assign(this, { buckets, by, chosen });
    this.redraw.ask();
  }

  press(event) {
    if (event.target !== this.element || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Enter" && this.chosen) this.onOpen(this.chosen);
    else if (step) this.step(step);
    else return;
    event.preventDefault();
  }

  /** Choose the next bucket that is not empty, or the one before. */
  step(by) {
    const full = this.buckets.filter(({ count }) => count);
    if (!full.length) return;
    const at = full.indexOf(this.chosen) + (this.chosen || by > 0 ? by : full.length);
    this.onChoose(full[Math.max(0, Math.min(at, full.length - 1))]);
  }

  /** @returns {object|null} the bucket under the pointer */
  under(event) {
    const box = this.canvas.getBoundingClientRect();
    return this.buckets[Math.floor((event.clientX - box.left - LEFT_PX) / this.widthOfBar(box.width))] ?? null;
  }

  widthOfBar(width) {
    return Math.min(WIDEST_PX, (width - LEFT_PX) / (this.buckets.length || 1));
  }

  paint() {
    const { paint, width, height } = prepared(this.canvas);
    const colours = coloursOf(this.element);
    const wide = this.widthOfBar(width);
    const high = height - AXIS_PX - TOP_PX;
    const most = this.buckets.reduce((highest, { count }) => Math.max(highest, count), 1);
    paint.font = "11px system-ui, sans-serif";
    this.scale(paint, { width, high, most, colours });
    this.labels(paint, { wide, width, height, colours });
    const gap = wide > 4 ? 1 : 0;
    this.buckets.forEach((bucket, index) => {
      const left = LEFT_PX + index * wide;
      if (bucket === this.chosen) {
        paint.globalAlpha = 0.25;
        paint.fillStyle = colours.chosen;
        paint.fillRect(left - 1, 0, Math.max(3, wide) + 2, high + TOP_PX);
        paint.globalAlpha = 1;
      }
      if (!bucket.count) return;
      const size = Math.max(2, (high * bucket.count) / most);
      paint.fillStyle = bucket === this.chosen ? colours.chosen : colours.event;
      paint.fillRect(left + gap, TOP_PX + high - size, Math.max(1, wide - 2 * gap), size);
    });
  }

  /** Lines for zero, the highest count and, if there is a whole number there, the middle. */
  scale(paint, { width, high, most, colours }) {
    paint.textAlign = "right";
    for (const value of most > 1 && most % 2 === 0 ? [0, most / 2, most] : [0, most]) {
      const y = Math.round(TOP_PX + high - (high * value) / most) + 0.5;
      [paint.fillStyle, paint.strokeStyle] = [colours.text, colours.edge];
      paint.globalAlpha = value ? 0.4 : 1;
      line(paint, LEFT_PX, y, width, y);
      paint.globalAlpha = 1;
      paint.fillText(String(value), LEFT_PX - 5, y + 4);
    }
    paint.textAlign = "left";
  }

  labels(paint, { wide, width, height, colours }) {
    [paint.fillStyle, paint.strokeStyle] = [colours.text, colours.edge];
    const isLabelled = this.by === "hour" ? byHours(wide) : byNumber(Math.ceil((this.by === "clock" ? LABEL_PX / 2 : LABEL_PX) / wide));
    this.buckets.forEach((bucket, index) => {
      if (!isLabelled(bucket, index)) return;
      const x = Math.round(LEFT_PX + index * wide) + 0.5;
      line(paint, x, height - AXIS_PX, x, height - AXIS_PX + 5);
      if (x + 2 + paint.measureText(bucket.short).width <= width) paint.fillText(bucket.short, x + 2, height - 4);
    });
  }
}

const byNumber = (step) => (bucket, index) => index % step === 0;

/** Labels stand at the same hours of each day, or at the same distance of days. */
function byHours(wide) {
  const step = HOUR_STEPS.find((hours) => hours * wide >= LABEL_PX) || HOUR_STEPS.at(-1);
  let days = -1;
  return ({ hour }) => {
    if (hour === 0) days += 1;
    return step < 24 ? hour % step === 0 : hour === 0 && days % (step / 24) === 0;
  };
}

function line(paint, x, y, toX, toY) {
  paint.beginPath();
  paint.moveTo(x, y);
  paint.lineTo(toX, toY);
  paint.stroke();
}
