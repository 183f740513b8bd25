/** How often the query occurs over time: by hour, day, week or month, or by the hour of the day. */

import { request } from "./api.js";
import { describeQuery, keyOf, soundOf } from "./asked.js";
import { byId, el, put } from "./dom.js";
import { count, timeZone } from "./format.js";
import * as options from "./options.js";
import { PagedTable } from "./paged-table.js";
import { address, current, go, keep, without } from "./route.js";
import { empty, failure, loading } from "./states.js";
import { TimePlot } from "./time-plot.js";

/** Parameters of the address that the results have not. */
export const TIMELINE_ONLY = ["by", "least", "bucket"];
const WIDTHS = { hour: "hour", day: "day", week: "week", month: "month", clock: "time of day" };
const DEFAULT_SCORE = 0.5;
const SOON_MS = 300;
const place = byId("timeline");
let running = null;
let turn = 0;
let shown = null;
let held = { key: null, answer: null };

/** Stop what runs for this view, if another one is shown. */
export function leaveTimeline(view) {
  if (view === "timeline") return;
  running?.abort();
  shown?.destroy();
  shown = null;
}

/** Show the timeline that the address names. */
export async function showTimeline(params) {
  leaveTimeline("");
  byId("timeline-back").href = address("search", without(params, TIMELINE_ONLY));
  byId("timeline-title").textContent = "Over time";
  turn += 1;
  const mine = turn;
  try {
    const sound = keyOf(params) && (await soundOf(params));
    // Another address may have been opened meanwhile.
    if (mine !== turn || current().view !== "timeline") return;
    if (!sound) put(place, empty("File no longer available", "This browser keeps a file for a day. Choose it again."));
    else shown = new Counts(sound, params);
  } catch (error) {
    if (mine === turn) put(place, failure(error, () => showTimeline(current().params)));
  }
}

/** @returns {Promise<object>} the answer; steps back and forth need no second search */
async function asked(sound, params, { by, least }, signal) {
  const width = by === "clock" ? "hour" : by;
  const key = `${without(params, TIMELINE_ONLY)} ${width} ${least}`;
  if (held.key === key) return held.answer;
  const form = new FormData();
  describeQuery(form, sound, params);
  options.describeNarrowing(form, params);
  form.set("by", width);
  form.set("min_score", least);
  const answer = await request("/api/timeline", { form, signal });
  held = { key, answer };
  return answer;
}

function say(text) {
  byId("timeline-announcer").textContent = text;
}

/** The counts on the page. */
class Counts {
  constructor(sound, params) {
    Object.assign(this, { sound, params });
    this.by = params.get("by") in WIDTHS ? params.get("by") : "day";
    this.least = clamped(Number(params.get("least") || DEFAULT_SCORE));
    this.plot = new TimePlot({
      onChoose: (bucket) => this.choose(bucket),
      onPoint: (bucket) => this.point(bucket),
      onOpen: (bucket) => this.open(bucket),
    });
    this.table = new PagedTable({ head: ["Time", "Occurrences", ""].map(cellOfHead), noun: "bar", row: (bucket) => ({ made: this.row(bucket) }) });
    this.tally = el("label", { for: "least-score" });
    this.slider = el("input", { type: "range", id: "least-score", min: 0, max: 1, step: 0.01, value: this.least });
    this.slider.addEventListener("input", () => this.change({ least: Number(this.slider.value) }, SOON_MS));
    const widths = Object.entries(WIDTHS).map(([value, text]) => el("option", { value, selected: value === this.by }, text));
    this.select = el("select", { id: "timeline-by", onchange: () => this.change({ by: this.select.value }, 0) }, widths);
    this.pointed = el("p", { class: "quiet small pointed", "aria-hidden": "true" });
    this.body = el("div", { class: "timeline" });
    put(
      place,
      el(
        "div",
        { class: "answer-head" },
        el("label", { class: "inline count-by" }, el("span", {}, "Count by"), this.select),
        el("div", { class: "threshold" }, this.tally, this.slider),
      ),
      this.body,
    );
    byId("timeline-title").textContent = `${sound.name}: over time`;
    this.load();
  }

  destroy() {
    clearTimeout(this.later);
    this.plot.destroy();
  }

  /** Count with other options, soon: a slider moves through many values. */
  change(options, afterMs) {
    Object.assign(this, options);
    this.label();
    clearTimeout(this.later);
    this.later = setTimeout(() => {
      if (current().view === "timeline") keep({ by: this.by, least: this.least.toFixed(2), bucket: null });
      this.load();
    }, afterMs);
  }

  label(total) {
    this.tally.textContent = `Score ${this.least.toFixed(2)} or more${total === undefined ? "" : `: ${count(total, "occurrence")}`}`;
  }

  async load() {
    running?.abort();
    running = new AbortController();
    const { signal } = running;
    this.label();
    if (!this.body.childElementCount) put(this.body, loading("Counting …", 1));
    this.body.setAttribute("aria-busy", "true");
    try {
      const answer = await asked(this.sound, this.params, this, signal);
      if (!signal.aborted) this.show(answer);
    } catch (error) {
      if (error.name === "AbortError" || signal.aborted) return;
      say("The search failed");
      put(this.body, failure(error, () => this.load()));
    } finally {
      if (!signal.aborted) this.body.removeAttribute("aria-busy");
    }
  }

  show({ buckets, undated, warnings }) {
    this.buckets = this.by === "clock" ? byClock(buckets) : buckets.map((bucket) => named(bucket, this.by));
    this.full = this.buckets.filter((bucket) => bucket.count);
    const total = this.full.reduce((sum, bucket) => sum + bucket.count, 0);
    this.label(total);
    this.chosen = this.full.find(({ key }) => key === current().params.get("bucket")) ?? null;
    this.table.items = null;
    this.mark();
    put(
      this.body,
      warnings.length > 0 && el("ul", { class: "notice" }, warnings.map((text) => el("li", {}, text))),
      ...(total ? [this.plot.element, this.pointed, this.table.element] : [nothing(undated)]),
      total > 0 && el("p", { class: "quiet small" }, about(undated)),
    );
    say(total ? `${count(total, "occurrence")} in ${count(this.full.length, "bar")}` : "No occurrences");
  }

  mark() {
    this.plot.show(this.buckets, this.by, this.chosen);
    this.table.show(this.full, this.chosen);
    this.point(null);
  }

  point(bucket) {
    const told = bucket || this.chosen;
    this.pointed.textContent = told ? `${told.name}: ${count(told.count, "occurrence")}` : "\u00a0";
  }

  choose(bucket) {
    this.chosen = bucket;
    this.mark();
    keep({ by: this.by, least: this.least.toFixed(2), bucket: bucket.key });
    say(`${bucket.name}: ${count(bucket.count, "occurrence")}`);
  }

  open(bucket) {
    // The way back leads to the same bar.
    keep({ by: this.by, least: this.least.toFixed(2), bucket: bucket.key });
    go("events", this.eventsOf(bucket));
  }

  eventsOf(bucket) {
    const { params } = current();
    for (const [name, value] of Object.entries({ by: this.by, least: this.least.toFixed(2), bucket: bucket.key, ...bucket.narrowing })) params.set(name, value);
    return params;
  }

  row(bucket) {
    const open = (event) => {
      event.preventDefault();
      this.open(bucket);
    };
    return el(
      "tr",
      {},
      el("td", {}, bucket.name),
      el("td", {}, bucket.count),
      el("td", {}, el("a", { href: address("events", this.eventsOf(bucket)), onclick: open, "aria-label": `Events of ${bucket.name}` }, "Events")),
    );
  }
}

/** @returns {object} a bucket with its names, and the parameters that narrow events to it */
function named({ start, end, count: number }, by) {
  const [from, to] = [start, end].map((time) => time.slice(0, 16));
  const day = from.slice(0, 10);
  const hour = Number(from.slice(11, 13));
  const name = { hour: `${day} ${from.slice(11)}`, day, week: `week from ${day}`, month: day.slice(0, 7) }[by];
  const short = { hour: hour ? from.slice(11) : day, month: day.slice(0, 7) }[by] ?? day;
  return { key: from, count: number, hour, name, short, narrowing: { span: `${from}/${to}` } };
}

/** @returns {object[]} a bucket for each hour of the day */
function byClock(buckets) {
  const counts = new Array(24).fill(0);
  for (const { start, count: number } of buckets) counts[Number(start.slice(11, 13))] += number;
  return counts.map((number, hour) => {
    const [from, to] = [hour, (hour + 1) % 24].map((value) => `${String(value).padStart(2, "0")}:00`);
    return { key: from, count: number, hour, name: `${from}–${to}`, short: from, narrowing: { hours: `${from}-${to}` } };
  });
}

const clamped = (score) => (Number.isFinite(score) ? Math.max(0, Math.min(1, score)) : DEFAULT_SCORE);

function cellOfHead(text) {
  return el("th", { scope: "col" }, text || el("span", { class: "unseen" }, "Events"));
}

function nothing(undated) {
  const why = undated
    ? `${unknown(undated)} Index the recordings again with a start time.`
    : "Lower the score, or widen the filters.";
  return empty("No occurrences at a known time", why);
}

const unknown = (undated) => `${count(undated, "occurrence is", "occurrences are")} not counted, because the start time of the recording is unknown.`;

function about(undated) {
  const zone = timeZone();
  const parts = [zone && `Times are in the time zone ${zone.replaceAll("_", " ")}.`, undated && unknown(undated)];
  return [...parts, "Windows of a recording that overlap are one occurrence. Events have their own scores, so their number can differ."].filter(Boolean).join(" ");
}
