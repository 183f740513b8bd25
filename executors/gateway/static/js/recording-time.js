/** The time of a sound, with a `?` where it comes from the file's modification time. */

import { el } from "./dom.js";
import { clock } from "./format.js";

const WHY = "Date taken from the file's modification time; copying may have changed it.";

/** @returns {HTMLElement|null} null: unknown */
export function recordingTime(at, source) {
  if (!at) return null;
  const time = el("time", { datetime: at }, clock(at));
  if (source !== "mtime") return time;
  return el("span", { title: WHY }, time, "\u00a0?", el("span", { class: "unseen" }, ` ${WHY}`));
}
