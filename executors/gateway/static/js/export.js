/** The menu that exports results: tables, labels, a playlist, and cut-outs of sound. */

import { request } from "./api.js";
import { el, put } from "./dom.js";
import { failure } from "./states.js";

/** Format, name, and the end of the file's name. */
const FORMATS = [
  ["csv", "Table (CSV)", ".csv"],
  ["jsonl", "JSON lines", ".jsonl"],
  ["parquet", "Parquet", ".parquet"],
  ["audacity", "Labels for Audacity", ".txt"],
  ["raven", "Selection table for Raven", ".selections.txt"],
  ["m3u", "Playlist", ".m3u8"],
];
const NAMES = ["recording_id", "collection", "start_s", "end_s", "score", "false_alarm_rate", "rank", "query_start_s", "query_end_s"];
/** Cut-outs of one file; the service refuses more. */
const MOST_CUT_OUTS = 200;
/** Spans that are sent; more are found by a search of the server's own. */
export const MOST_SPANS = 1000;

/**
 * Make the menu.
 *
 * @param {object[]} spans matches or events
 * @param {{path: string, form: () => FormData}|null} search finds them again; null: the spans are sent
 * @returns {HTMLElement}
 */
export function exportMenu(spans, search = null) {
  const said = el("div", { role: "status" });
  const save = async (form, suffix) => {
    put(said, el("p", { class: "quiet small" }, "Preparing the file …"));
    try {
      const file = await (search ? searched(search, form) : request("/api/export", { json: { spans: spans.map(given), ...form }, as: "blob" }));
      // Labels of several recordings come as a file for each.
      download(file, file.type === "application/zip" ? ".zip" : suffix);
      put(said);
      menu.open = false;
    } catch (error) {
      put(said, failure(error));
    }
  };
  const choices = FORMATS.map(([format, name, suffix]) =>
    el("button", { type: "button", class: "plain", onclick: () => save({ format }, suffix) }, name),
  );
  const menu = el(
    "details",
    { class: "export", onkeydown: (event) => event.key === "Escape" && close(menu) },
    el("summary", { class: "button" }, "Export"),
    el("div", { class: "export-menu" }, choices, cutOuts(spans, save), said),
  );
  return menu;
}

function searched({ path, form }, options) {
  return request(`${path}?${new URLSearchParams(options)}`, { form: form(), as: "blob" });
}

function cutOuts(spans, save) {
  const audio = el("select", { "aria-label": "Audio format" }, el("option", { value: "wav" }, "WAV"), el("option", { value: "flac" }, "FLAC"));
  const padding = el("input", { type: "number", min: 0, max: 60, step: 0.1, value: 0, inputmode: "decimal" });
  const pictures = el("input", { type: "checkbox" });
  const send = (event) => {
    event.preventDefault();
    save({ format: "zip", audio: audio.value, padding_s: Number(padding.value) || 0, pictures: pictures.checked }, ".zip");
  };
  const isTooMany = spans.length > MOST_CUT_OUTS;
  return el(
    "form",
    { onsubmit: send, novalidate: true, "aria-label": "Cut-outs" },
    el("label", { class: "inline" }, el("span", {}, "Padding"), padding, el("span", { class: "quiet" }, "s")),
    audio,
    el("label", { class: "check" }, pictures, el("span", {}, "Spectrograms")),
    el("button", { disabled: isTooMany }, "Cut-outs (ZIP)"),
    isTooMany && el("p", { class: "quiet small" }, `At most ${MOST_CUT_OUTS} spans; choose fewer.`),
  );
}

function close(menu) {
  menu.open = false;
  menu.querySelector("summary").focus();
}

function given(span) {
  const known = NAMES.filter((name) => span[name] !== null && span[name] !== undefined);
  return Object.fromEntries(known.map((name) => [name, span[name]]));
}

function download(file, suffix) {
  const url = URL.createObjectURL(file);
  el("a", { href: url, download: `soundalike${suffix}` }).click();
  // The browser reads it after the click.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
