/** The events of a match's recording on a small line: the whole recording, and a tick for each event. */

import { request } from "./api.js";
import { describeQueryIn } from "./asked.js";
import { coloursOf, prepared, Redraw } from "./canvas.js";
import { button, el } from "./dom.js";
import { count, exactSpan } from "./format.js";
import * as options from "./options.js";
import { without } from "./route.js";
import { whenNear } from "./signal.js";

/** Parameters of a search that events do not depend on. */
const OTHERS = ["like", "unlike", "also", "rate", "top_k", "min_score", "max_false_alarms"];
const LOWEST = 0.3;
/** More ticks than this would be one bar. */
const MOST = 300;
const TICK_PX = 2;
/** Events of recordings that were shown lately. */
const kept = new Map();
const KEPT = 100;
/** Requests go one after the other: the lines of many matches come in sight together. */
let queue = Promise.resolve();

/** @returns {Promise<object[]>} the events of a query in a match's recording, from stored vectors alone */
async function eventsIn(match, query, params, signal) {
  const key = `${without(params, OTHERS)} ${match.collection} ${match.recording_id}`;
  if (kept.has(key)) return kept.get(key);
  const turn = queue.then(async () => {
    signal.throwIfAborted();
    const form = new FormData();
    describeQueryIn(form, query, params, match.collection);
    options.describeNarrowing(form, params);
    const chosen = { recording: match.recording_id, min_score: LOWEST, reread_s: 0, limit: MOST };
    for (const [name, value] of Object.entries(chosen)) form.set(name, value);
    return (await request("/api/events", { form, signal })).events;
  });
  queue = turn.catch(() => {});
  const events = await turn;
  if (kept.size >= KEPT) kept.delete(kept.keys().next().value);
  kept.set(key, events);
  return events;
}

/** The line of one match. */
export class EventStrip {
  /**
   * @param {object} match
   * @param {object} query the sound of the query
   * @param {URLSearchParams} params of the search
   * @param {object} actions
   * @param {string} actions.name of the recording
   * @param {(event: object) => void} actions.onChoose
   */
  constructor(match, query, params, { name, onChoose }) {
    Object.assign(this, { match, query, params, onChoose });
    [this.events, this.chosen] = [[], null];
    this.abort = new AbortController();
    this.canvas = el("canvas", { class: "ticks", "aria-hidden": "true" });
    this.said = el("span", { class: "quiet small", role: "status" });
    const next = () => this.step(1);
    this.next = button(null, "Next event", next, { label: `Next event in ${name}`, "aria-keyshortcuts": "e", hidden: true });
    this.element = el("div", { class: "strip" }, this.canvas, el("div", { class: "row" }, this.said, this.next));
    this.canvas.addEventListener("click", (event) => this.point(event));
    this.redraw = new Redraw(this.canvas, () => this.paint());
    this.forget = whenNear(this.element, () => this.load());
  }

  destroy() {
    this.forget();
    this.abort.abort();
    this.redraw.destroy();
  }

  async load() {
    const { signal } = this.abort;
    try {
      this.events = await eventsIn(this.match, this.query, this.params, signal);
    } catch (error) {
      if (error.name === "AbortError" || signal.aborted) return;
      this.said.textContent = `Events are not available: ${error.detail || error.message}`;
      return;
    }
    if (signal.aborted) return;
    const found = this.events.length < MOST ? count(this.events.length, "event") : `The first ${MOST} events`;
    this.said.textContent = this.events.length ? `${found} in this recording` : "No separate events in this recording";
    this.next.hidden = this.events.length === 0;
    this.redraw.ask();
  }

  /** Choose the next event, or the previous one; first the one after the match's begin. */
  step(by) {
    if (!this.events.length) return;
    const first = Math.max(0, this.events.findIndex(({ end_s: end }) => end > this.match.start_s));
    const at = this.chosen ? this.events.indexOf(this.chosen) + by : first;
    // After the last one comes the first.
    this.choose(this.events.at(at % this.events.length));
  }

  choose(event) {
    this.chosen = event;
    const at = this.events.indexOf(event) + 1;
    this.said.textContent = `Event ${at} of ${this.events.length}: ${exactSpan(event.start_s, event.end_s)}, score ${event.score.toFixed(2)}`;
    this.redraw.ask();
    this.onChoose(event);
  }

  point(click) {
    const box = this.canvas.getBoundingClientRect();
    const at = (this.match.duration_s * (click.clientX - box.left)) / box.width;
    const far = ({ start_s: start, end_s: end }) => Math.max(start - at, at - end, 0);
    const nearest = this.events.reduce((best, event) => (best && far(best) <= far(event) ? best : event), null);
    if (nearest) this.choose(nearest);
  }

  paint() {
    const { paint, width, height } = prepared(this.canvas);
    const colours = coloursOf(this.canvas);
    const x = (at) => (width * at) / (this.match.duration_s || 1);
    const bar = ({ start_s: start, end_s: end }, colour, top) => {
      paint.fillStyle = colour;
      paint.fillRect(x(start), top, Math.max(TICK_PX, x(end) - x(start)), height - top);
    };
    // The match itself is a band behind the ticks.
    paint.globalAlpha = 0.25;
    bar(this.match, colours.text, 0);
    paint.globalAlpha = 1;
    for (const event of this.events) bar(event, colours.event, 3);
    if (this.chosen) bar(this.chosen, colours.chosen, 0);
  }
}
