/** A table of events, some at a time: screen readers read it, and thousands of rows would be slow. */

import { button, el, put } from "./dom.js";
import { clock, count, exactSpan, nameOf } from "./format.js";
import { isPlaying } from "./player.js";
import { showPlaying } from "./query.js";
import { frequency, meaning } from "./score.js";

const ROWS = 25;

/** The table. */
export class EventList {
  /**
   * @param {object} actions
   * @param {boolean} actions.names whether the recordings are named: there are several
   * @param {(event: object) => void} actions.onChoose
   * @param {(event: object) => void} actions.onPlay
   * @param {(event: object) => object} actions.soundOf the sound of an event's recording
   */
  constructor({ names, onChoose, onPlay, soundOf }) {
    Object.assign(this, { names, onChoose, onPlay, soundOf });
    [this.events, this.chosen, this.begin, this.rows] = [[], null, 0, new Map()];
    this.caption = el("caption", {});
    this.body = el("tbody", {});
    const head = ["At", "Score", "Match", ...(names ? ["Recording"] : []), "Heard"];
    const titles = head.map((text) => el("th", { scope: "col", class: text === "Heard" ? "heard" : null }, text));
    const table = el("table", { class: "event-table" }, this.caption, el("thead", {}, el("tr", {}, titles, el("th", { scope: "col" }, el("span", { class: "unseen" }, "Play")))), this.body);
    this.earlier = button(null, "Earlier rows", () => this.turn(-ROWS));
    this.later = button(null, "Later rows", () => this.turn(ROWS));
    this.element = el("div", {}, table, el("div", { class: "row" }, this.earlier, this.later));
  }

  /** Show these events, with the page of the chosen one. */
  show(events, chosen) {
    const isSame = events === this.events;
    Object.assign(this, { events, chosen });
    const at = chosen ? events.indexOf(chosen) : -1;
    const begin = at < 0 ? Math.min(this.begin, lastPage(events.length)) : at - (at % ROWS);
    if (isSame && begin === this.begin) this.mark();
    else this.fill(begin);
  }

  turn(by) {
    this.fill(Math.max(0, Math.min(this.begin + by, lastPage(this.events.length))));
  }

  fill(begin) {
    this.begin = begin;
    const some = this.events.slice(begin, begin + ROWS);
    this.caption.textContent = some.length ? `${begin + 1} to ${begin + some.length} of ${count(this.events.length, "event")}` : "No events";
    this.rows = new Map(some.map((event) => [event, this.row(event)]));
    put(this.body, ...[...this.rows.values()].map(({ made }) => made));
    this.earlier.disabled = begin === 0;
    this.later.disabled = begin + ROWS >= this.events.length;
    this.earlier.hidden = this.later.hidden = this.events.length <= ROWS;
    this.mark();
  }

  row(event) {
    const at = exactSpan(event.start_s, event.end_s);
    const { name } = nameOf(event);
    const play = button("play", "Play", () => this.onPlay(event), { label: `Play ${at} of ${name}`, "aria-pressed": "false" });
    const made = el(
      "tr",
      {},
      el("td", {}, button(null, at, () => this.onChoose(event), { class: "plain" })),
      el("td", {}, event.score.toFixed(2)),
      el("td", { title: frequency(event) || null }, meaning(event)),
      this.names && el("td", { class: "name" }, name),
      el("td", { class: "heard" }, event.occurred_at ? clock(event.occurred_at) : ""),
      el("td", {}, play),
    );
    return { made, play };
  }

  /** Mark the chosen event, and the one that is played. */
  mark() {
    for (const [event, { made, play }] of this.rows) {
      made.toggleAttribute("aria-current", event === this.chosen);
      if (event === this.chosen) made.setAttribute("aria-current", "true");
      showPlaying(play, isPlaying(this.soundOf(event), event.start_s, event.end_s));
    }
  }
}

const lastPage = (length) => Math.max(0, length - 1 - ((length - 1) % ROWS));
