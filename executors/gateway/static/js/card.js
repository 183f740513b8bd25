/** One match: its recording with its events, and what can be done with it. */

import { Comparison } from "./compare.js";
import { button, el, icon, put } from "./dom.js";
import { EventStrip } from "./event-strip.js";
import { exactSpan, length, shortFolder, span } from "./format.js";
import { play, watch } from "./player.js";
import { showPlaying } from "./query.js";
import { recordingTime } from "./recording-time.js";
import { address, collection as chosen, current } from "./route.js";
import { frequency, meaning } from "./score.js";
import { Signal } from "./signal.js";
import { StoredSound } from "./sounds.js";

/** Recordings up to this length are shown whole, of longer ones the surroundings of the match. */
const WHOLE_S = 60;
const AROUND_S = 30;

/** @returns {string} the address of all occurrences of the query, in a match's recording or everywhere */
export function occurrences(match) {
  const { params } = current();
  params.delete("rate");
  if (match) params.set("in", match.recording_id);
  const home = params.get("collection") || "default";
  if (match?.collection && match.collection !== home) {
    params.set("collection", match.collection);
    params.set("home", home);
  }
  return address("events", params);
}

const isOpen = (control) => control.getAttribute("aria-expanded") === "true";

/** The match as an article of the list. */
export class Card {
  /**
   * @param {object} match
   * @param {object} query the sound of the query
   * @param {object} actions
   * @param {(match: object, start: number, end: number) => void} actions.onLike
   * @param {Marks} actions.marks
   */
  constructor(match, query, { onLike, marks }) {
    Object.assign(this, { match, query, onLike, marks });
    this.sound = new StoredSound(match);
    // The match, or the event that was chosen in its place.
    this.part = match;
    this.comparison = null;
    this.said = el("p", { class: "quiet small", role: "status" });
    this.extra = el("div", { class: "extra" });
    const title = `match-${match.rank}`;
    this.signal = this.draw();
    // A named search may have no sound any more.
    this.hasSound = !query.run;
    this.strip = this.hasSound && new EventStrip(match, query, current().params, { name: this.sound.name, onChoose: (event) => this.choose(event) });
    const actions = el("div", { class: "row actions" }, this.actions());
    this.element = el(
      "li",
      { class: "match" },
      el("article", { "aria-labelledby": title }, this.head(title), this.signal.element, this.strip && this.strip.element, this.facts(), actions, this.extra, this.said),
    );
    this.unwatch = watch((playing) => this.follow(playing));
  }

  destroy() {
    this.unwatch();
    if (this.strip) this.strip.destroy();
    this.comparison?.destroy();
    this.signal.destroy();
  }

  /** The stretch of the recording that is drawn. */
  around() {
    const { start_s: start, end_s: end } = this.part;
    const whole = this.match.duration_s;
    if (whole <= WHOLE_S) return { start: 0, end: whole };
    const from = Math.max(0, Math.min((start + end) / 2 - AROUND_S, whole - 2 * AROUND_S));
    return { start: from, end: Math.min(whole, from + 2 * AROUND_S) };
  }

  draw() {
    const { start_s: start, end_s: end } = this.part;
    const stretch = this.around();
    return new Signal(this.sound, {
      ...stretch,
      mark: { start, end },
      onPoint: (at) => this.listen(at, stretch.end),
      onSelect: (first, last) => last > first && this.askForPart(first, last),
    });
  }

  /** Show an event of the recording in place of the match. */
  choose(event) {
    this.part = event;
    const wasCompared = isOpen(this.compared);
    this.closeExtra();
    const { start, end } = this.signal;
    if (end === undefined || event.start_s < start || event.end_s > end) {
      const next = this.draw();
      this.signal.element.replaceWith(next.element);
      this.signal.destroy();
      this.signal = next;
    }
    this.start.lastElementChild.textContent = "Play event";
    this.start.setAttribute("aria-label", `Play ${exactSpan(event.start_s, event.end_s)} of ${this.sound.name}`);
    this.start.title = this.start.getAttribute("aria-label");
    this.compared.hidden = event.query_start_s === null;
    if (wasCompared && !this.compared.hidden) this.compare();
  }

  head(title) {
    const { rank, label, score } = this.match;
    const bar = el("span", { class: "fill" });
    bar.style.width = `${100 * Math.max(0, Math.min(1, score))}%`;
    const words = meaning(this.match);
    return el(
      "header",
      {},
      el("span", { class: "rank" }, el("span", { class: "unseen" }, "Rank "), rank),
      el(
        "div",
        { class: "what" },
        el("h3", { id: title }, this.sound.name),
        el("p", { class: "quiet folder", title: this.sound.folder }, shortFolder(this.sound.folder, 4)),
      ),
      label && el("span", { class: "label" }, el("span", { class: "unseen" }, "label "), label),
      el(
        "div",
        { class: "score" },
        el("span", { class: "number" }, el("span", { class: "unseen" }, "score "), score.toFixed(2)),
        el("span", { class: "bar-track", "aria-hidden": "true" }, bar),
        words && el("span", { class: "words" }, words),
      ),
    );
  }

  facts() {
    const { start_s: start, end_s: end, duration_s: whole, collection } = this.match;
    const { query_start_s: from, query_end_s: to } = this.match;
    const facts = [
      ["at", `${span(start, end)} of ${length(whole)}`],
      ["like", from === null ? null : `${span(from, to)} of the query`],
      ["false alarms", frequency(this.match)],
      ["heard", recordingTime(this.match.occurred_at, this.match.recorded_at_source)],
      ["in", collection === (chosen() || "default") ? null : collection],
    ];
    return el(
      "dl",
      { class: "facts" },
      facts.filter(([, value]) => value).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
    );
  }

  actions() {
    const { start_s: start, end_s: end } = this.match;
    this.start = button("play", "Play match", () => this.listen(), { label: `Play ${span(start, end)} of ${this.sound.name}`, "aria-pressed": "false" });
    this.compared = button("compare", "Compare", () => this.compare(), { "aria-expanded": "false", hidden: this.match.query_start_s === null || !this.hasSound });
    const toggle = () => (isOpen(this.parted) ? this.closeExtra() : this.askForPart(this.part.start_s, this.part.end_s));
    this.parted = button("part", "Like this part", toggle, { label: `Like a part of ${this.sound.name}`, "aria-expanded": "false" });
    return [
      this.start,
      this.compared,
      button("like", "More like this", () => this.onLike(this.match), { label: `More like ${this.sound.name}` }),
      this.parted,
      this.hasSound && el("a", { class: "button", href: occurrences(this.match), "aria-label": `All occurrences in ${this.sound.name}` }, icon("times"), el("span", {}, "All occurrences")),
      ...this.marks.buttonsFor(() => ({ ...this.match, start_s: this.part.start_s, end_s: this.part.end_s }), this.sound.name),
    ];
  }

  listen(start = this.part.start_s, end = this.part.end_s) {
    return play(this.sound, start, end, { onFail: (text) => (this.said.textContent = text) });
  }

  follow(playing) {
    const { start_s: start, end_s: end } = this.part;
    showPlaying(this.start, Boolean(playing) && playing.sound === this.sound && playing.start === start && playing.end === end);
  }

  /** Show query and match side by side, or close them. */
  compare() {
    const wasOpen = isOpen(this.compared);
    this.closeExtra();
    if (wasOpen) return;
    this.compared.setAttribute("aria-expanded", "true");
    const { query, sound, part } = this;
    const noun = part === this.match ? "match" : "event";
    this.comparison = new Comparison({ query, sound, part, noun, onFail: (text) => (this.said.textContent = text) });
    put(this.extra, this.comparison.element);
  }

  /** Choose a part of the recording to search with; drawn or typed. */
  askForPart(start, end) {
    this.closeExtra();
    this.parted.setAttribute("aria-expanded", "true");
    this.signal.show({ start, end });
    const input = (label, value) => {
      const field = el("input", { type: "number", min: 0, max: this.match.duration_s, step: 0.1, value: value.toFixed(1), inputmode: "decimal" });
      return [field, el("label", { class: "inline" }, el("span", {}, label), field)];
    };
    const [[from, fromLabel], [to, toLabel]] = [input("from", start), input("to", end)];
    const values = () => [Number(from.value), Number(to.value)];
    const mark = () => {
      const [first, last] = values();
      this.said.textContent = last > first ? "" : "The end must be after the start.";
      if (last > first) this.signal.show({ start: first, end: last });
    };
    from.addEventListener("input", mark);
    to.addEventListener("input", mark);
    const search = (event) => {
      event.preventDefault();
      const [first, last] = values();
      if (last > first) this.onLike(this.match, first, last);
    };
    put(
      this.extra,
      el(
        "form",
        { class: "row part", onsubmit: search, "aria-label": `Part of ${this.sound.name}`, novalidate: true },
        el("span", { class: "from-to" }, fromLabel, toLabel, el("span", { class: "quiet" }, "s")),
        button("play", "Play part", () => this.listen(...values())),
        el("button", { class: "primary" }, icon("search"), el("span", {}, "Search like this part")),
      ),
    );
    from.focus();
  }

  /** Close the panels below the buttons, and mark the match again. */
  closeExtra() {
    const { start_s: start, end_s: end } = this.part;
    this.signal.show({ start, end });
    for (const control of [this.compared, this.parted]) control.setAttribute("aria-expanded", "false");
    this.comparison?.destroy();
    this.comparison = null;
    this.said.textContent = "";
    put(this.extra);
  }
}
