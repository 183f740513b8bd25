/** The results of a search, each with its picture and its player. */

import { button, el, icon, put } from "./dom.js";
import { exportMenu } from "./export.js";
import { count, length, shortFolder, span } from "./format.js";
import { Marks } from "./marks.js";
import { play, watch } from "./player.js";
import { showPlaying } from "./query.js";
import { recordingTime } from "./recording-time.js";
import { address, collection as chosen, current, withCollection } from "./route.js";
import { EXPLANATION, frequency, meaning, WEIGHT_FREE } from "./score.js";
import { Signal } from "./signal.js";
import { StoredSound } from "./sounds.js";

/** Recordings up to this length are shown whole, of longer ones the surroundings of the match. */
const WHOLE_S = 60;
const AROUND_S = 30;
const ASIDE_S = 1;

/**
 * Show matches.
 *
 * @param {HTMLElement} parent
 * @param {object} answer of /api/search
 * @param {object} query the sound of the query
 * @param {{onLike: Function}} actions `onLike(match, start, end)`; without a part, all of it is meant
 * @returns {Function} releases the list
 */
export function showMatches(parent, answer, query, actions) {
  const marks = new Marks();
  const cards = answer.matches.map((match) => new Card(match, query, { ...actions, marks }));
  const list = el("ol", { class: "matches", onkeydown: (event) => marks.onKey(event) }, cards.map((card) => card.element));
  put(
    parent,
    el(
      "div",
      { class: "answer-head" },
      el("h2", {}, count(answer.matches.length, "match", "matches")),
      el("p", { class: "quiet" }, `encoder: ${answer.encoder || "unknown"}`, answer.encoder === WEIGHT_FREE && aboutWeightFree()),
      el(
        "div",
        { class: "row" },
        el("a", { class: "button", href: occurrences() }, "All occurrences"),
        el("a", { class: "button", href: overTime(answer.matches) }, "Over time"),
        exportMenu(answer.matches),
      ),
    ),
    answer.warnings?.length > 0 && el("ul", { class: "notice" }, answer.warnings.map((text) => el("li", {}, text))),
    marks.element,
    list,
    el("details", { class: "small" }, el("summary", {}, "How to read a score"), el("p", {}, EXPLANATION)),
  );
  return () => cards.forEach((card) => card.destroy());
}

/** @returns {string} the address of all occurrences of the query, in a match's recording or everywhere */
function occurrences(match) {
  const { params } = current();
  if (match) params.set("in", match.recording_id);
  if (match?.collection && match.collection !== "default") params.set("collection", match.collection);
  return address("events", params);
}

/** @returns {string} the address of the timeline; it begins with a score that good matches reach */
function overTime(matches) {
  const { params } = current();
  const good = matches.filter(({ strength }) => strength === "strong" || strength === "likely");
  const scores = (good.length ? good : matches.slice(0, Math.ceil(matches.length / 2))).map(({ score }) => score);
  params.set("by", "day");
  params.set("least", Math.max(0, Math.min(1, Math.floor(100 * Math.min(...scores)) / 100)).toFixed(2));
  return address("timeline", params);
}

const isOpen = (control) => control.getAttribute("aria-expanded") === "true";

/** Say that the weight-free encoder is not a trained network. */
function aboutWeightFree() {
  return [", ", el("a", { href: address("library", withCollection()) }, "weight-free: not a trained model")];
}

class Card {
  constructor(match, query, { onLike, marks }) {
    Object.assign(this, { match, query, onLike, marks });
    this.sound = new StoredSound(match);
    this.signals = [];
    this.buttons = [];
    this.said = el("p", { class: "quiet small", role: "status" });
    this.extra = el("div", { class: "extra" });
    const title = `match-${match.rank}`;
    this.signal = this.draw(this.around(), { onSelect: (start, end) => end > start && this.askForPart(start, end) });
    const actions = el("div", { class: "row actions" }, this.actions());
    this.element = el(
      "li",
      { class: "match" },
      el("article", { "aria-labelledby": title }, this.head(title), this.signal.element, this.facts(), actions, this.extra, this.said),
    );
    this.unwatch = watch((playing) => this.follow(playing));
  }

  destroy() {
    this.unwatch();
    this.signals.forEach((signal) => signal.destroy());
  }

  /** The stretch of the recording that is drawn. */
  around() {
    const { start_s: start, end_s: end, duration_s: whole } = this.match;
    if (whole <= WHOLE_S) return { start: 0, end: whole };
    const from = Math.max(0, Math.min((start + end) / 2 - AROUND_S, whole - 2 * AROUND_S));
    return { start: from, end: Math.min(whole, from + 2 * AROUND_S) };
  }

  draw(stretch, more = {}) {
    const { start_s: start, end_s: end } = this.match;
    const signal = new Signal(this.sound, { ...stretch, mark: { start, end }, onPoint: (at) => this.listen(at, stretch.end), ...more });
    this.signals.push(signal);
    return signal;
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
    this.start = this.player("Play match", () => this.listen(), `Play ${span(start, end)} of ${this.sound.name}`, this.sound, start, end);
    this.compared = button("compare", "Compare", () => this.compare(), { "aria-expanded": "false", hidden: this.match.query_start_s === null });
    const toggle = () => (isOpen(this.parted) ? this.closeExtra() : this.askForPart(start, end));
    this.parted = button("part", "Like this part", toggle, { label: `Like a part of ${this.sound.name}`, "aria-expanded": "false" });
    return [
      this.start,
      this.compared,
      button("like", "More like this", () => this.onLike(this.match), { label: `More like ${this.sound.name}` }),
      this.parted,
      el("a", { class: "button", href: occurrences(this.match), "aria-label": `All occurrences in ${this.sound.name}` }, icon("times"), el("span", {}, "All occurrences")),
      ...this.marks.buttonsFor(this.match, this.sound.name),
    ];
  }

  player(text, act, label, sound, start, end) {
    const made = button("play", text, act, { label, "aria-pressed": "false" });
    this.buttons.push({ made, sound, start, end });
    return made;
  }

  listen(start = this.match.start_s, end = this.match.end_s) {
    return play(this.sound, start, end, { onFail: (text) => (this.said.textContent = text) });
  }

  follow(playing) {
    for (const { made, sound, start, end } of this.buttons) {
      showPlaying(made, Boolean(playing) && playing.sound === sound && playing.start === start && playing.end === end);
    }
  }

  /** Query and hit side by side, both cut to the matching windows. */
  compare() {
    const wasOpen = isOpen(this.compared);
    this.closeExtra();
    if (wasOpen) return;
    this.compared.setAttribute("aria-expanded", "true");
    const { start_s: start, end_s: end, query_start_s: from, query_end_s: to, duration_s: whole } = this.match;
    // The same on both sides, so that a second is as wide in both pictures.
    const before = Math.min(ASIDE_S, start, from);
    const after = Math.min(ASIDE_S, Math.max(0, whole - end), Math.max(0, (this.query.durationS || to) - to));
    const say = { onFail: (text) => (this.said.textContent = text) };
    const cut = (sound, begin, finish) => {
      const signal = new Signal(sound, { start: begin - before, end: finish + after, mark: { start: begin, end: finish } });
      this.signals.push(signal);
      return signal.element;
    };
    const playQuery = () => play(this.query, from, to, say);
    const both = () => play(this.query, from, to, { ...say, onEnd: () => play(this.sound, start, end, say) });
    put(
      this.extra,
      el(
        "div",
        { class: "compare" },
        el("div", {}, el("h4", {}, el("span", { class: "side-a" }, "A"), " query, ", span(from, to)), cut(this.query, from, to)),
        el("div", {}, el("h4", {}, el("span", { class: "side-b" }, "B"), " match, ", span(start, end)), cut(this.sound, start, end)),
      ),
      el(
        "div",
        { class: "row" },
        this.player("A", playQuery, "Play A, the query", this.query, from, to),
        this.player("B", () => this.listen(), "Play B, the match", this.sound, start, end),
        button("play", "A, then B", both),
      ),
    );
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
    const { start_s: start, end_s: end } = this.match;
    this.signal.show({ start, end });
    for (const control of [this.compared, this.parted]) control.setAttribute("aria-expanded", "false");
    for (const signal of this.signals.splice(1)) signal.destroy();
    this.buttons.splice(1);
    this.said.textContent = "";
    put(this.extra);
  }
}
