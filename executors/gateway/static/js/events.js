/** All occurrences of a query: in one recording on a time line, or in the whole collection in a table. */

import { request } from "./api.js";
import { describeQuery, keyOf, soundOf } from "./asked.js";
import { Comparison } from "./compare.js";
import { byId, button, el, put } from "./dom.js";
import { EventLine } from "./event-line.js";
import { eventTable } from "./event-list.js";
import { exportMenu, MOST_SPANS } from "./export.js";
import { count, exactSpan, nameOf } from "./format.js";
import * as options from "./options.js";
import { play, watch } from "./player.js";
import { address, current, keep, without } from "./route.js";
import { meaning, upTo } from "./score.js";
import { StoredSound } from "./sounds.js";
import { empty, failure, loading } from "./states.js";
import { Threshold } from "./threshold.js";
import { TIMELINE_ONLY } from "./timeline.js";

/** Parameters of the address that the results have not. */
const OWN = ["in", "span", "hours", "score", "rate", "at", "from", "to", "compare"];
/** Those that change the answer. */
const NARROWING = ["in", "span", "hours"];
const LOWEST = 0.3;
/** Pictures are drawn after the last of several steps. */
const SOON_MS = 250;
const place = byId("events");
let running = null;
let shown = null;
let held = { key: null, answer: null };

/** Stop what runs for this view, if another one is shown. */
export function leaveEvents(view) {
  if (view === "events") return;
  running?.abort();
  shown?.destroy();
  shown = null;
}

/** Show the occurrences that the address names. */
export async function showEvents(params) {
  leaveEvents("");
  showWayBack(params);
  byId("events-title").textContent = "All occurrences";
  running = new AbortController();
  const { signal } = running;
  try {
    const { sound, answer } = await asked(params, signal);
    if (signal.aborted) return;
    if (!sound) put(place, empty("File no longer available", "This browser keeps a file for a day. Choose it again."));
    else shown = new Occurrences(answer, sound, params);
  } catch (error) {
    if (error.name === "AbortError" || signal.aborted) return;
    say("The search failed");
    put(place, failure(error, () => showEvents(current().params)));
  }
}

/** A timeline may have led here; otherwise it was a search. */
function showWayBack(params) {
  const results = without(params, [...OWN, "home"]);
  if (params.has("home")) results.set("collection", params.get("home"));
  const isTimeline = params.has("by");
  byId("events-back").href = isTimeline ? address("timeline", results) : address("search", results);
  byId("events-back").textContent = isTimeline ? "Back to the timeline" : "Back to the results";
}

/** Ask for the events, unless the answer is there: steps back and forth need no second search. */
async function asked(params, signal) {
  if (!keyOf(params)) return {};
  const key = questionOf(params);
  if (held.key === key) return held.answer;
  put(place, loading("Searching for all occurrences …"));
  say("Searching");
  const sound = await soundOf(params);
  if (!sound) return {};
  const answer = { sound, answer: await request("/api/events", { form: formOf(sound, params), signal }) };
  held = { key, answer };
  return answer;
}

/** @returns {FormData} the request for all events of a query */
function formOf(sound, params) {
  const form = new FormData();
  describeQuery(form, sound, params);
  options.describeNarrowing(form, params);
  options.narrowToBar(form, params);
  if (params.has("in")) form.set("recording", params.get("in"));
  form.set("min_score", LOWEST);
  return form;
}

/** @returns {string} the parameters that change the answer */
function questionOf(params) {
  return without(params, [...TIMELINE_ONLY, ...OWN.filter((name) => !NARROWING.includes(name))]).toString();
}

/** @returns {string} the time to which a bar of a timeline narrows the events */
function when(params) {
  if (params.has("hours")) return `, ${params.get("hours").replace("-", "–")}`;
  return params.has("span") ? `, ${params.get("span").replaceAll("T", " ").replace("/", " – ")}` : "";
}

function say(text) {
  byId("events-announcer").textContent = text;
}

/** The answer on the page. */
class Occurrences {
  constructor(answer, query, params) {
    Object.assign(this, { answer, query, params });
    this.sounds = new Map();
    const { events } = answer;
    this.recording = params.has("in") ? params.get("in") : null;
    const name = events.length && this.recording ? nameOf(events[0]).name : null;
    byId("events-title").textContent = `${query.name}: all occurrences${name ? ` in ${name}` : ""}${when(params)}`;
    if (!events.length) {
      say("No occurrences");
      put(place, empty("No occurrences", `No part scores ${LOWEST} or more. Search with a longer or clearer part of the query.`));
      return;
    }
    const at = params.has("at") ? Number(params.get("at")) : null;
    this.chosen = at === null ? null : (events.find((event) => Math.abs(event.start_s - at) < 0.001) ?? null);
    this.build(params);
    this.filter();
    if (params.has("compare") && this.chosen) this.compare();
    say(`${count(this.events.length, "event")} of ${events.length}`);
  }

  build(params) {
    this.list = eventTable({
      names: !this.recording,
      rates: this.answer.events.some((event) => event.strength && meaning(event)),
      onChoose: (event) => this.choose(event),
      onPlay: (event) => this.listen(event),
      soundOf: (event) => this.soundOf(event),
    });
    if (this.recording) {
      const onStretch = (from, to) => this.keepSoon({ from: from.toFixed(2), to: to.toFixed(2) });
      this.line = new EventLine(this.answer.events[0].duration_s, { onChoose: (event) => this.choose(event), onStretch });
      if (params.has("from") && params.has("to")) this.line.stretch(Number(params.get("from")), Number(params.get("to")));
    }
    const onChange = () => {
      this.filter();
      this.keepSoon(this.threshold.kept);
    };
    this.threshold = new Threshold({ items: this.answer.events, noun: "event", lowest: LOWEST, describe: upTo, params, onChange, say });
    this.compared = button("compare", "Compare", () => this.compare(), { "aria-expanded": "false", "aria-keyshortcuts": "c", disabled: true });
    this.beside = el("div", {});
    this.exports = el("div", {});
    this.said = el("p", { class: "quiet small", role: "status" });
    put(
      place,
      this.answer.warnings.length > 0 && el("ul", { class: "notice" }, this.answer.warnings.map((text) => el("li", {}, text))),
      !this.answer.is_complete && el("p", { class: "notice" }, `There are more than ${count(this.answer.events.length, "event")}; these are the first.`),
      el("div", { class: "answer-head" }, this.threshold.element, el("div", { class: "row" }, this.compared, this.exports)),
      this.line?.element,
      this.said,
      this.beside,
      this.list.element,
    );
    this.onKey = (event) => this.press(event);
    addEventListener("keydown", this.onKey);
    this.unwatch = watch(() => this.list.mark());
  }

  destroy() {
    this.line?.destroy();
    this.comparison?.destroy();
    this.unwatch?.();
    removeEventListener("keydown", this.onKey);
    for (const timer of [this.later, this.counted, this.drawn]) clearTimeout(timer);
  }

  /** Show the events that the threshold leaves. */
  filter() {
    this.events = this.answer.events.filter((event) => this.threshold.keeps(event));
    if (this.chosen && !this.threshold.keeps(this.chosen)) this.chosen = null;
    this.threshold.tell(this.events.length);
    this.show();
    // The menu counts its spans; it need not do so while the slider moves.
    clearTimeout(this.counted);
    this.counted = setTimeout(() => this.offerExport(), 150);
  }

  show() {
    this.line?.show(this.events, this.chosen, LOWEST);
    this.list.show(this.events, this.chosen);
    this.compared.disabled = !this.chosen || this.chosen.query_start_s === null;
  }

  /** Show query and chosen event side by side, or close them. */
  compare() {
    const isOpen = this.compared.getAttribute("aria-expanded") === "true";
    this.compared.setAttribute("aria-expanded", String(!isOpen));
    this.keepSoon({ compare: isOpen ? null : "1" });
    this.drawComparison();
  }

  drawComparison() {
    this.comparison?.destroy();
    this.comparison = null;
    if (this.compared.disabled || this.compared.getAttribute("aria-expanded") !== "true") return;
    const onFail = (text) => (this.said.textContent = text);
    this.comparison = new Comparison({ query: this.query, sound: this.soundOf(this.chosen), part: this.chosen, noun: "event", onFail });
    put(this.beside, this.comparison.element);
  }

  offerExport() {
    // A higher threshold leaves fewer events. The same ones keep their menu, which may be open.
    if (this.offered === this.events.length) return;
    this.offered = this.events.length;
    const search = this.events.length > MOST_SPANS ? { path: "/api/events/export", form: () => this.formOfLeft() } : null;
    put(this.exports, this.events.length > 0 && exportMenu(this.events, search));
  }

  /** Many events are searched again by the server, and need not be sent. */
  formOfLeft() {
    const form = formOf(this.query, this.params);
    if (this.threshold.rate < Infinity) form.set("max_false_alarms", this.threshold.rate);
    // Scores in an answer are rounded.
    const least = this.events.reduce((lowest, { score }) => Math.min(lowest, score), 1);
    form.set("min_score", Math.max(LOWEST, least - 1e-6));
    return form;
  }

  choose(event) {
    this.chosen = event;
    this.line?.reveal(event);
    this.show();
    clearTimeout(this.drawn);
    this.drawn = setTimeout(() => this.drawComparison(), SOON_MS);
    this.keepSoon({ at: event.start_s });
    const where = this.recording ? "" : ` of ${nameOf(event).name}`;
    say(`Event ${this.events.indexOf(event) + 1} of ${this.events.length}: ${exactSpan(event.start_s, event.end_s)}${where}, score ${event.score.toFixed(2)}${meaning(event) ? `, ${meaning(event)}` : ""}`);
  }

  /** Choose the next event, or the previous one; without a chosen one, the first in sight. */
  step(by) {
    if (!this.events.length) return;
    const first = this.line ? this.events.findIndex((event) => event.start_s >= this.line.from) : 0;
    const at = this.chosen ? this.events.indexOf(this.chosen) + by : Math.max(0, first);
    this.choose(this.events[Math.max(0, Math.min(at, this.events.length - 1))]);
  }

  listen(event) {
    this.said.textContent = "";
    if (event !== this.chosen) this.choose(event);
    return play(this.soundOf(event), event.start_s, event.end_s, { onFail: (text) => (this.said.textContent = text) });
  }

  soundOf(event) {
    const { recording_id: id } = event;
    if (!this.sounds.has(id)) this.sounds.set(id, new StoredSound(event));
    return this.sounds.get(id);
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input:not([type=range]), select, textarea, dialog")) return;
    const isOnLine = event.target === this.line?.element;
    if (event.key === "n" || event.key === "p") this.step(event.key === "n" ? 1 : -1);
    else if (event.key === "c" && !this.compared.disabled) this.compare();
    else if (event.key === "Enter" && isOnLine && this.chosen) this.listen(this.chosen);
  }

  /** Write into the address; browsers refuse to do so for each pixel of a slider. */
  keepSoon(changes) {
    this.changes = { ...this.changes, ...changes };
    clearTimeout(this.later);
    this.later = setTimeout(() => {
      if (current().view === "events") keep(this.changes);
      this.changes = {};
    }, 200);
  }
}
