/** The query: its source, its picture and sound, and the chosen part. */

import { byId, button, el, put } from "./dom.js";
import { length, span } from "./format.js";
import { play, watch } from "./player.js";
import { Signal } from "./signal.js";
import { TextSound } from "./sounds.js";

const box = byId("query");
let shown = null;

/** @returns {object|null} the sound that is the query */
export const sound = () => shown?.sound ?? null;

/** @returns {{start: number, end: number}|null} the chosen part; null: all of it */
export const part = () => shown?.part ?? null;

/** Show a query; the same one only changes its part. */
export function show(next, start, end, { onPart, onOther, more = null }) {
  const wanted = start === null && end === null ? null : { start: start ?? 0, end };
  if (shown?.sound !== next) {
    clear();
    shown = next instanceof TextSound ? buildText(next, onOther, more) : build(next, wanted, onPart, onOther);
  }
  shown.begin(wanted);
}

/** Remove the query. */
export function clear() {
  shown?.destroy();
  shown = null;
  box.hidden = true;
  put(box);
}

/** Show a message below the query. */
export function say(text) {
  shown?.say(text);
}

/** A text has no picture and no parts. */
function buildText(next, onOther, more) {
  const said = el("p", { class: "quiet small", role: "status" });
  put(box, head(next, "", onOther), more, said);
  box.hidden = false;
  return { sound: next, part: null, begin() {}, destroy() {}, say: (text) => (said.textContent = text) };
}

function head(next, facts, onOther) {
  return el(
    "div",
    { class: "query-head" },
    el("span", { class: "side-a" }, "Query"),
    el("div", { class: "what" }, el("strong", {}, next.name), next.folder && el("span", { class: "quiet folder" }, next.folder), facts),
    button("close", null, onOther, { label: "Choose another query", class: "plain" }),
  );
}

function build(next, wanted, onPart, onOther) {
  const from = el("input", { type: "number", min: 0, step: 0.1, inputmode: "decimal", id: "part-start" });
  const to = el("input", { type: "number", min: 0, step: 0.1, inputmode: "decimal", id: "part-end" });
  const said = el("p", { class: "quiet small", role: "status" });
  const facts = el("span", { class: "quiet" }, next.durationS ? length(next.durationS) : "");
  const state = { sound: next, part: wanted };
  const full = () => state.signal.end ?? next.durationS;
  const change = (part, tell) => {
    state.part = part;
    from.value = part ? part.start.toFixed(1) : "";
    to.value = part ? (part.end ?? full()).toFixed(1) : "";
    whole.hidden = !part;
    state.signal.show(part && { start: part.start, end: part.end ?? full() });
    if (tell) onPart(part);
  };
  const typed = () => {
    if (from.value === "" && to.value === "") return change(null, true);
    const start = Math.max(0, Number(from.value) || 0);
    const end = to.value === "" ? full() : Math.min(Number(to.value), full());
    if (end <= start) {
      said.textContent = `The end must be after the start; the part is ${span(start, end)}.`;
      return undefined;
    }
    said.textContent = "";
    return change({ start, end }, true);
  };
  const whole = button(null, "Whole clip", () => change(null, true), { class: "plain", hidden: true });
  state.signal = new Signal(next, {
    mark: wanted,
    name: `the query, ${next.name}`,
    onSelect: (start, end) => end > start && change({ start, end }, true),
    onPoint: (at) => listen(at),
  });
  const listen = (at) => play(next, at ?? state.part?.start ?? 0, state.part?.end ?? full(), { onFail: say });
  const start = button("play", "Play", () => listen(), { "aria-pressed": "false" });
  const unwatch = watch((playing) => showPlaying(start, playing?.sound === next));
  state.begin = (part) => change(part, false);
  state.say = (text) => (said.textContent = text);
  state.destroy = () => {
    unwatch();
    state.signal.destroy();
  };
  state.signal.loaded.then(() => {
    if (state.signal.end) {
      facts.textContent = length(state.signal.end);
      [from.placeholder, to.placeholder] = ["0.0", state.signal.end.toFixed(1)];
    }
    if (shown === state) change(state.part, false);
  });
  from.addEventListener("change", typed);
  to.addEventListener("change", typed);
  put(
    box,
    head(next, facts, onOther),
    state.signal.element,
    el(
      "div",
      { class: "row part", role: "group", "aria-label": "Part of the query" },
      start,
      el(
        "span",
        { class: "from-to" },
        el("label", { class: "inline" }, el("span", {}, "from"), from),
        el("label", { class: "inline" }, el("span", {}, "to"), to),
        el("span", { class: "quiet" }, "s"),
      ),
      whole,
    ),
    el("p", { class: "quiet small hint" }, "Drag across the waveform, or type start and end, to search for part of it."),
    said,
  );
  box.hidden = false;
  return state;
}

/** Let a button say whether it plays or stops. */
export function showPlaying(control, playing) {
  control.setAttribute("aria-pressed", String(playing));
  control.querySelector("use").setAttribute("href", playing ? "#icon-stop" : "#icon-play");
}
