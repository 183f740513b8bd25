/** The table of events. */

import { button, el } from "./dom.js";
import { clock, exactSpan, nameOf } from "./format.js";
import { PagedTable } from "./paged-table.js";
import { isPlaying } from "./player.js";
import { showPlaying } from "./query.js";
import { frequency, meaning } from "./score.js";

/**
 * Make the table.
 *
 * @param {object} options
 * @param {boolean} options.names whether the recordings are named: there are several
 * @param {boolean} options.rates whether false-alarm rates are known
 * @param {(event: object) => void} options.onChoose
 * @param {(event: object) => void} options.onPlay
 * @param {(event: object) => object} options.soundOf the sound of an event's recording
 * @returns {PagedTable}
 */
export function eventTable({ names, rates, onChoose, onPlay, soundOf }) {
  const titles = ["At", "Score", ...(rates ? ["Match"] : []), ...(names ? ["Recording"] : []), "Heard"];
  const head = titles.map((text) => el("th", { scope: "col", class: text === "Heard" ? "heard" : null }, text));
  const row = (event) => {
    const at = exactSpan(event.start_s, event.end_s);
    const { name } = nameOf(event);
    const play = button("play", "Play", () => onPlay(event), { label: `Play ${at} of ${name}`, "aria-pressed": "false" });
    const made = el(
      "tr",
      {},
      el("td", {}, button(null, at, () => onChoose(event), { class: "plain" })),
      el("td", {}, event.score.toFixed(2)),
      rates && el("td", { title: frequency(event) || null }, meaning(event)),
      names && el("td", { class: "name" }, name),
      el("td", { class: "heard" }, event.occurred_at ? clock(event.occurred_at) : ""),
      el("td", {}, play),
    );
    return { made, play };
  };
  return new PagedTable({
    head: [...head, el("th", { scope: "col" }, el("span", { class: "unseen" }, "Play"))],
    noun: "event",
    row,
    onMark: (event, { play }) => showPlaying(play, isPlaying(soundOf(event), event.start_s, event.end_s)),
  });
}
