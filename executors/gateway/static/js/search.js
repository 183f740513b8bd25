/** The search: from the address to the query, from the query to the answers. */

import { keyOf, NAMES, soundOf } from "./asked.js";
import { byId, button, el, put } from "./dom.js";
import { nameOf } from "./format.js";
import * as marks from "./marks.js";
import { controls, showList } from "./named-view.js";
import * as options from "./options.js";
import * as query from "./query.js";
import { showMatches } from "./results.js";
import { address, current, go, withCollection, without } from "./route.js";
import { frequency, isPoor, meaning } from "./score.js";
import * as service from "./service.js";
import { moveTo, searchIn } from "./several.js";
import { empty, failure, loading, notice } from "./states.js";

const results = byId("results");
const START = { key: null, sound: null };
let held = START;
let running = null;
let giveBack = null;
let last = [];

/** @returns {object[]} the matches of the last search */
export const lastMatches = () => last;

/** Show the query of the address and its results, or how to begin. */
export async function showSearch(params) {
  running?.abort();
  options.fill(params);
  const key = keyOf(params);
  setButton(params);
  if (!key) {
    held = START;
    query.clear();
    byId("source").hidden = false;
    byId("search-form").classList.remove("named");
    return showStart();
  }
  try {
    if (held.key !== key) held = { key, sound: await soundOf(params) };
  } catch (error) {
    return answer(failure(error, () => showSearch(current().params)));
  }
  if (keyOf(current().params) !== key) return undefined;
  if (!held.sound) {
    held = START;
    query.clear();
    return answer(empty("File no longer available", "This browser keeps a file for a day. Choose it again."));
  }
  const [start, end] = ["start", "end"].map((name) => (params.has(name) ? Number(params.get(name)) : null));
  byId("source").hidden = true;
  const isNamed = Boolean(held.sound.run);
  // How it is run is in the address, which may have changed.
  if (isNamed) query.clear();
  query.show(held.sound, start, end, { onPart, onOther, more: isNamed ? controls(held.sound, params) : null });
  byId("search-form").classList.toggle("named", isNamed);
  setButton(params);
  return search(held.sound, params);
}

/** Search with another query and the same options; a stored one may be in another collection. */
export function look(changes, collection) {
  const params = marks.forget(options.collect(current().params));
  for (const name of [...NAMES, "rate"]) params.delete(name);
  if (collection) moveTo(params, collection);
  for (const [name, value] of Object.entries(changes)) if (value !== undefined) params.set(name, value);
  go("search", params);
  // The pressed button may be gone; the keyboard goes on at the new results.
  results.focus({ preventScroll: true });
}

async function search(sound, params) {
  running = new AbortController();
  const { signal } = running;
  clear();
  results.setAttribute("aria-busy", "true");
  put(results, loading(`Searching with ${sound.name} …`));
  say("Searching");
  try {
    showAnswer(await searchIn(sound, params, signal), sound, params);
  } catch (error) {
    if (error.name === "AbortError") return;
    answer(failure(error, () => search(sound, params)));
    say("The search failed");
  } finally {
    if (!signal.aborted) results.removeAttribute("aria-busy");
  }
}

function showAnswer(found, sound, params) {
  clear();
  last = found.matches;
  if (!found.matches.length) return showNothing(params);
  const place = el("div", {});
  const [best] = found.matches;
  const poor = isPoor(best);
  put(results, poor && poorNotice(best), place);
  giveBack = showMatches(place, found, sound, { onLike, say });
  const words = meaning(best);
  const first = `${nameOf(best).name}, score ${best.score.toFixed(2)}${words && `, ${words}`}`;
  say(`${found.matches.length} matches. First: ${first}`);
  return showWhereTheyAre();
}

function poorNotice(best) {
  const filtered = options.isFiltered(current().params);
  const part = query.part() === null && query.sound()?.durationS > 4;
  return notice(
    el("p", {}, el("strong", {}, `No good match: the best score is ${best.score.toFixed(2)}, and ${frequency(best)}.`)),
    el(
      "p",
      {},
      "To find more, ",
      filtered && "remove the filters, or ",
      part ? "search with another part of the query, " : "choose a longer or clearer part of the query, ",
      "or add recordings that have such a sound to ",
      el("a", { href: address("library", withCollection()) }, "the library"),
      ".",
    ),
  );
}

function showNothing(params) {
  if (params.has("named")) {
    say("No matches");
    return answer(empty("No matches", "Everything that is similar enough is marked, or the collection has nothing like it."));
  }
  if (params.has("max_false_alarms")) return showNoGoodMatch(params);
  say("No matches");
  if (!options.isFiltered(params)) {
    const library = el("a", { class: "button", href: address("library", withCollection()) }, "Open the library");
    return answer(empty("Nothing to compare with", "The library has no other recording with sound. Add some.", library));
  }
  const unfiltered = button("again", "Search without filters", () => go("search", options.withoutFilters(params)));
  return answer(empty("No matches with these filters", "Remove a filter or widen the times. Recordings without a known start time are excluded.", unfiltered));
}

function showNoGoodMatch(params) {
  say("No good match");
  const rate = Number(params.get("max_false_alarms"));
  const anyway = button("again", "Show the best matches anyway", () => go("search", without(params, ["max_false_alarms"])));
  const reason = `No recording has a false-alarm rate of ${rate} or less. Rates are unknown below 20 recordings.`;
  return answer(empty("No good match", reason, anyway));
}

function showStart() {
  say("");
  byId("text-field").hidden = !service.status.takes_text;
  offerAnnotated();
  const { files } = service.status;
  if (files === undefined) return answer(loading("Loading the library …"));
  if (files === 0) {
    const library = el("a", { class: "button primary", href: address("library", withCollection()) }, "Add recordings");
    return answer(empty("The library is empty", "A search compares a sound with stored recordings. Upload some, or add a folder on the server.", library));
  }
  const some = service.labels.slice(0, 12).map(({ label, files: number }) =>
    el("button", { type: "button", class: "chip", onclick: () => dispatchEvent(new CustomEvent("pick", { detail: label })) }, label, el("span", { class: "quiet" }, number)),
  );
  const saved = el("div", { class: "suggestions" });
  showList(saved);
  return answer(
    empty("Start with a sound", "Choose a sound, record one, or pick a stored clip. The results show which recordings have a similar sound, and at which second."),
    some.length > 0 && el("div", { class: "suggestions" }, el("h3", {}, "In the library"), el("div", { class: "row chips" }, some)),
    saved,
  );
}

function answer(...children) {
  clear();
  results.removeAttribute("aria-busy");
  put(results, ...children);
}

function clear() {
  giveBack?.();
  giveBack = null;
}

/** On a narrow screen the answers are below the form. */
function showWhereTheyAre() {
  if (results.getBoundingClientRect().top < innerHeight * 0.7) return;
  const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
  results.scrollIntoView({ behavior, block: "start" });
}

function say(text) {
  byId("announcer").textContent = text;
}

function onLike(match, start, end) {
  byId("search-form").elements.namedItem("exclude_self").checked = true;
  const round = (value) => value?.toFixed(1);
  look({ recording: match.recording_id, start: round(start), end: round(end) }, match.collection);
  scrollTo({ top: 0 });
}

function onPart() {
  setButton(current().params);
}

function onOther() {
  look({});
  byId("file").focus();
}

/** Name the button after the chosen part. */
function setButton(params) {
  const part = held.sound ? query.part() : params.has("start");
  byId("search-button").lastElementChild.textContent = part ? "Search for this part" : "Search";
  byId("search-button").disabled = !keyOf(params) && !typed();
}

/** @returns {string} the text that was typed in place of a sound */
function typed() {
  return byId("source").hidden || byId("text-field").hidden ? "" : byId("text").value.trim();
}

byId("search-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (typed()) return look({ text: typed() });
  const params = options.collect(current().params);
  const part = query.part();
  params.delete("start");
  params.delete("end");
  if (part) {
    params.set("start", part.start.toFixed(1));
    if (part.end !== null) params.set("end", part.end.toFixed(1));
  }
  return go("search", params);
});

/** Offer the labels of annotations. */
function offerAnnotated() {
  byId("annotated-field").hidden = service.annotated.length === 0;
  const shown = service.annotated.map(({ label, annotations }) => el("option", { value: label }, `${label} (${annotations})`));
  put(byId("annotated"), el("option", { value: "" }, "choose a label"), ...shown);
}

byId("annotated").addEventListener("change", ({ target }) => target.value && look({ like_label: target.value }));

byId("text").addEventListener("input", () => setButton(current().params));

byId("clear-filters").addEventListener("click", () => go("search", options.withoutFilters(current().params)));
