/** Query and match side by side, both cut to the parts that match. */

import { button, el } from "./dom.js";
import { exactSpan } from "./format.js";
import { play, watch } from "./player.js";
import { showPlaying } from "./query.js";
import { Signal } from "./signal.js";

const ASIDE_S = 1;

/** The two pictures, and the buttons that play them. */
export class Comparison {
  /**
   * @param {object} given
   * @param {object} given.query the sound of the query
   * @param {object} given.sound the sound of the match
   * @param {object} given.part a match or an event: begin and end in both sounds
   * @param {string} given.noun `match` or `event`
   * @param {(text: string) => void} given.onFail
   */
  constructor({ query, sound, part, noun, onFail }) {
    const { start_s: start, end_s: end, query_start_s: from, query_end_s: to } = part;
    // The same on both sides, so that a second is as wide in both pictures.
    const before = Math.min(ASIDE_S, start, from);
    const after = Math.min(ASIDE_S, Math.max(0, sound.durationS - end), Math.max(0, (query.durationS || to) - to));
    // An event can be longer than the part of the query, or shorter.
    const longest = Math.max(end - start, to - from);
    this.signals = [];
    this.players = [];
    const cut = (from_, begin, finish) => {
      const stop = Math.min(from_.durationS || finish + after, begin + longest + after);
      const signal = new Signal(from_, { start: begin - before, end: Math.max(finish, stop), mark: { start: begin, end: finish } });
      this.signals.push(signal);
      return signal.element;
    };
    const both = () => play(query, from, to, { onFail, onEnd: () => play(sound, start, end, { onFail }) });
    this.element = el(
      "div",
      { class: "comparison" },
      el(
        "div",
        { class: "compare" },
        el("div", {}, el("h4", {}, el("span", { class: "side-a" }, "A"), " query, ", exactSpan(from, to)), cut(query, from, to)),
        el("div", {}, el("h4", {}, el("span", { class: "side-b" }, "B"), ` ${noun}, `, exactSpan(start, end)), cut(sound, start, end)),
      ),
      el(
        "div",
        { class: "row" },
        this.player("A", "Play A, the query", query, from, to, onFail),
        this.player("B", `Play B, the ${noun}`, sound, start, end, onFail),
        button("play", "A, then B", both),
      ),
    );
    this.unwatch = watch((playing) => this.follow(playing));
  }

  player(text, label, sound, start, end, onFail) {
    const made = button("play", text, () => play(sound, start, end, { onFail }), { label, "aria-pressed": "false" });
    this.players.push({ made, sound, start, end });
    return made;
  }

  follow(playing) {
    for (const { made, sound, start, end } of this.players) {
      showPlaying(made, Boolean(playing) && playing.sound === sound && playing.start === start && playing.end === end);
    }
  }

  destroy() {
    this.unwatch();
    for (const signal of this.signals) signal.destroy();
    this.element.remove();
  }
}
