/** Copies of recordings: groups with players, and a suggestion which to keep. Nothing is deleted. */

import { button, byId, el, put } from "./dom.js";
import { count, nameOf, span } from "./format.js";
import { play } from "./player.js";
import { repeatsJob } from "./repeats-job.js";
import { StoredSound } from "./sounds.js";
import { empty } from "./states.js";

const COLUMNS = ["group", "suggestion", "score", "evidence", "start_s", "end_s", "offset_s", "uri"];
const EVIDENCE = { content: "same bytes", sound: "same sound", vectors: "similar vectors; the sound could not be read" };
const answer = el("div", {});

/** Show the view. */
export function showDuplicates() {
  const place = byId("duplicates");
  if (place.firstChild) return;
  put(place, repeatsJob({ path: "/api/duplicates", text: "Find copies", onResult: show }), answer);
}

function show({ groups }) {
  if (!groups.length) {
    put(answer, empty("No copies", "No two recordings of this collection hold the same sound."));
    return;
  }
  const files = groups.flatMap(({ members }) => members);
  const removable = files.filter(({ suggestion }) => suggestion === "remove").length;
  put(
    answer,
    el("p", {}, `${count(groups.length, "group")}, ${count(files.length, "file")}, ${removable} could be removed. Nothing was deleted.`),
    button("file", "Suggestions (CSV)", () => save(groups)),
    groups.map(card),
  );
}

function card({ group, members }) {
  return el("section", { class: "card", "aria-label": `Group ${group}` }, el("h2", {}, `Group ${group}: ${count(members.length, "file")}`), el("ul", { class: "folders" }, members.map(row)));
}

function row(member) {
  const { start_s: start, end_s: end, offset_s: offset, score, evidence, suggestion } = member;
  const { name } = nameOf(member);
  const sound = new StoredSound(member);
  const said = el("span", { class: "quiet", role: "status" });
  const facts = `${span(start, end)}, begins at ${offset.toFixed(3)} s of the first file, score ${score.toFixed(3)}, ${EVIDENCE[evidence] || evidence}`;
  const listen = button("play", "Play", () => play(sound, start, end, { onFail: (text) => put(said, text) }), { label: `Play ${name}` });
  const what = el("div", { class: "what" }, el("strong", { title: member.uri }, name), el("span", {}, suggestion === "remove" ? "Suggestion: remove" : "Suggestion: keep"), el("span", { class: "quiet" }, facts), said);
  return el("li", { "data-suggestion": suggestion }, what, listen);
}

/** Save the suggestions as a table, which programs and people can read. */
function save(groups) {
  const lines = groups.flatMap(({ group, members }) => members.map((member) => COLUMNS.map((name) => cell(name === "group" ? group : member[name])).join(",")));
  const file = new Blob([[COLUMNS.join(","), ...lines, ""].join("\r\n")], { type: "text/csv" });
  const url = URL.createObjectURL(file);
  el("a", { href: url, download: "duplicates.csv" }).click();
  // The browser reads it after the click.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** @returns {string} a cell; a spreadsheet would take a name that begins with = for a formula */
function cell(value) {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
