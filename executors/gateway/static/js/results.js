/** The results of a search: the matches, their threshold, and what can be done with all of them. */

import { Card, occurrences } from "./card.js";
import { el, put } from "./dom.js";
import { exportMenu } from "./export.js";
import { count } from "./format.js";
import { inAddress, Marks } from "./marks.js";
import { ServerMarks } from "./named.js";
import { saveMenu } from "./named-view.js";
import { address, current, keep, withCollection } from "./route.js";
import { EXPLANATION, upTo, WEIGHT_FREE } from "./score.js";
import { failure } from "./states.js";
import { Threshold } from "./threshold.js";

/**
 * Show matches.
 *
 * @param {HTMLElement} parent
 * @param {object} answer of /api/search
 * @param {object} query the sound of the query
 * @param {object} actions
 * @param {Function} actions.onLike `onLike(match, start, end)`; without a part, all of it is meant
 * @param {(text: string) => void} actions.say announces the number of matches that a threshold leaves
 * @returns {Function} releases the list
 */
export function showMatches(parent, answer, query, { onLike, say }) {
  const { matches } = answer;
  const said = el("div", { role: "status" });
  const isNamed = Boolean(query.run);
  const marks = new Marks(isNamed ? new ServerMarks(query, (error) => put(said, failure(error))) : inAddress);
  const cards = matches.map((match) => new Card(match, query, { onLike, marks }));
  const onkeydown = (event) => {
    marks.onKey(event);
    stepOn(event, cards);
  };
  const list = el("ol", { class: "matches", onkeydown }, cards.map((card) => card.element));
  const exports = el("div", {});
  const threshold = thresholdOf(matches, () => narrow(true), say);
  const narrow = (isNew) => {
    const left = cards.filter((card) => !threshold || threshold.keeps(card.match));
    for (const card of cards) card.element.hidden = !left.includes(card);
    threshold?.tell(left.length);
    put(exports, left.length > 0 && exportMenu(left.map(({ match }) => match)));
    if (isNew) keep(threshold.kept);
  };
  narrow(false);
  put(
    parent,
    el(
      "div",
      { class: "answer-head" },
      el("h2", {}, count(matches.length, "match", "matches")),
      el("p", { class: "quiet" }, `encoder: ${answer.encoder || "unknown"}`, answer.encoder === WEIGHT_FREE && aboutWeightFree()),
      el(
        "div",
        { class: "row" },
        !isNamed && el("a", { class: "button", href: occurrences() }, "All occurrences"),
        !isNamed && el("a", { class: "button", href: overTime(matches) }, "Over time"),
        !isNamed && saveMenu(query),
        exports,
      ),
    ),
    answer.warnings?.length > 0 && el("ul", { class: "notice" }, answer.warnings.map((text) => el("li", {}, text))),
    threshold?.element,
    marks.element,
    said,
    list,
    el("details", { class: "small" }, el("summary", {}, "How to read a score"), el("p", {}, EXPLANATION)),
  );
  return () => cards.forEach((card) => card.destroy());
}

/** @returns {Threshold|null} null: no rate is known, and the best matches are shown anyway */
function thresholdOf(matches, onChange, say) {
  const given = { items: matches, noun: "match", nouns: "matches", lowest: -1, describe: upTo, params: current().params, onChange, say };
  const threshold = new Threshold(given);
  return threshold.hasRates ? threshold : null;
}

/** Choose the next event of the match that has the focus by the key E, or the previous one with Shift. */
function stepOn(event, cards) {
  if (event.key.toLowerCase() !== "e" || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
  const card = cards.find(({ element }) => element.contains(event.target));
  if (card?.strip) card.strip.step(event.shiftKey ? -1 : 1);
}

/** @returns {string} the address of the timeline; it begins with a score that good matches reach */
function overTime(matches) {
  const { params } = current();
  const good = matches.filter(({ strength }) => strength === "strong" || strength === "likely");
  const scores = (good.length ? good : matches.slice(0, Math.ceil(matches.length / 2))).map(({ score }) => score);
  params.delete("rate");
  params.set("by", "day");
  params.set("least", Math.max(0, Math.min(1, Math.floor(100 * Math.min(...scores)) / 100)).toFixed(2));
  return address("timeline", params);
}

/** Say that the weight-free encoder is not a trained network. */
function aboutWeightFree() {
  return [", ", el("a", { href: address("library", withCollection()) }, "weight-free: not a trained model")];
}
