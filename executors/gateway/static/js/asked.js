/** The query that an address names: a stored recording, a file, a text, or an annotated label. */

import { request } from "./api.js";
import { recall } from "./query-files.js";
import { withCollection } from "./route.js";
import { FileSound, LabelSound, StoredSound, TextSound } from "./sounds.js";

/** Parameters of an address that name a query, or a part of it. */
export const NAMES = ["recording", "file", "text", "like_label", "start", "end"];

/** @returns {string|null} what tells queries apart; null where there is none */
export function keyOf(params) {
  const recording = params.get("recording");
  if (recording) return `${params.get("collection") || ""}/${recording}`;
  if (params.has("like_label")) return `label ${params.get("collection") || ""}/${params.get("like_label")}`;
  return params.has("text") ? `text ${params.get("text")}` : params.get("file");
}

/** @returns {Promise<object|null>} the sound; null for a file that the browser no longer has */
export async function soundOf(params) {
  const id = params.get("recording");
  if (id) return new StoredSound(await request(`/api/recordings/${encodeURIComponent(id)}?${withCollection()}`));
  if (params.has("like_label")) return new LabelSound(params.get("like_label"));
  if (params.has("text")) return new TextSound(params.get("text"));
  const file = await recall(params.get("file"));
  return file && new FileSound(file);
}

/** Write the query of an address into the form of a request. */
export function describeQuery(form, sound, params) {
  sound.describe(form);
  if (params.has("start")) form.set("start_s", params.get("start"));
  if (params.has("end")) form.set("end_s", params.get("end"));
  if (params.has("collection")) form.set("collection", params.get("collection"));
}
