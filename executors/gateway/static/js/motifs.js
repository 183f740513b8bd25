/** Motifs: sounds that occur again and again, with an example, their times, and a way to name them. */

import { request } from "./api.js";
import { button, byId, el, put, svg } from "./dom.js";
import { count, exactSpan, nameOf } from "./format.js";
import { play } from "./player.js";
import { repeatsJob } from "./repeats-job.js";
import { address, collection, withCollection } from "./route.js";
import { StoredSound } from "./sounds.js";
import { empty, failure } from "./states.js";

/** Recordings of a motif that are drawn. */
const LINES = 12;
const answer = el("div", {});

/** Show the view. */
export function showMotifs() {
  const place = byId("motifs");
  if (place.firstChild) return;
  put(place, repeatsJob({ path: "/api/motifs", text: "Find motifs", onResult: show }), answer);
}

function show({ motifs }) {
  if (!motifs.length) put(answer, empty("No motifs", "No sound of this collection occurs three times or more."));
  else put(answer, el("p", {}, count(motifs.length, "motif")), motifs.map(card));
}

function card(motif) {
  const { example, count: number, labels } = motif;
  const title = `Motif ${motif.motif}`;
  const where = Object.entries(labels).map(([label, of]) => `${label} (${of})`);
  const said = el("div", { role: "status" });
  const sound = new StoredSound(example);
  const onFail = (text) => put(said, el("p", { class: "quiet" }, text));
  const listen = button("play", "Play example", () => play(sound, example.start_s, example.end_s, { onFail }), { label: `Play example of ${title}` });
  const query = withCollection({ recording: example.recording_id, start: example.start_s, end: example.end_s });
  return el(
    "section",
    { class: "card", "aria-label": title },
    el("h2", {}, `${title}: ${count(number, "occurrence")}`),
    el("p", { class: "quiet" }, `Example: ${nameOf(example).name}, ${exactSpan(example.start_s, example.end_s)}. ${where.slice(0, 3).join(", ")}`),
    el("div", { class: "row" }, listen, el("a", { class: "button", href: address("search", query) }, "Search with it"), naming(motif, title, said)),
    times(motif.events),
    said,
  );
}

/** A form that stores a label for all events of a motif. */
function naming({ events }, title, said) {
  const field = el("input", { type: "text", maxlength: 200, required: true, "aria-label": `Name of ${title}`, placeholder: "Name" });
  const send = async (event) => {
    event.preventDefault();
    const label = field.value.trim();
    if (!label) return;
    const rows = events.map(({ uri, start_s, end_s }) => JSON.stringify({ uri, start_s, end_s, label }));
    const form = new FormData();
    form.set("labels", new File([rows.join("\n")], "motifs.jsonl"));
    form.set("format", "jsonl");
    if (collection()) form.set("collection", collection());
    try {
      const { added, unchanged, bad_rows: bad } = await request("/api/annotations", { form });
      put(said, el("p", {}, `${count(added, "annotation")} stored, ${unchanged} stored already, ${bad.length} unusable.`));
    } catch (error) {
      put(said, failure(error));
    }
  };
  return el("form", { class: "row", onsubmit: send }, field, el("button", {}, "Name it"));
}

/** A line for each recording with a mark for each event. */
function times(events) {
  const byRecording = Map.groupBy ? Map.groupBy(events, ({ uri }) => uri) : grouped(events);
  const lines = [...byRecording.values()].slice(0, LINES).map(line);
  const more = byRecording.size - lines.length;
  return el("div", {}, el("ul", { class: "folders" }, lines), more > 0 && el("p", { class: "quiet" }, `and ${count(more, "more recording")}`));
}

function grouped(events) {
  const found = new Map();
  for (const event of events) found.set(event.uri, [...(found.get(event.uri) || []), event]);
  return found;
}

function line(events) {
  const [{ duration_s: length }] = events;
  const { name } = nameOf(events[0]);
  const marks = events.map(({ start_s: start, end_s: end }) => svg("rect", { x: (1000 * start) / length, y: 0, width: Math.max(2, (1000 * (end - start)) / length), height: 12, fill: "currentColor" }));
  const text = `${name}: ${count(events.length, "occurrence")}, ${events.slice(0, 5).map(({ start_s: start, end_s: end }) => exactSpan(start, end)).join(", ")}${events.length > 5 ? " …" : ""}`;
  const picture = svg("svg", { viewBox: "0 0 1000 12", width: "100%", height: 12, preserveAspectRatio: "none", role: "img", "aria-label": text }, svg("rect", { x: 0, y: 5, width: 1000, height: 2, fill: "currentColor", opacity: 0.3 }), marks);
  return el("li", {}, el("div", { class: "what" }, el("span", {}, text), picture));
}
