/** The query that an address names: a stored recording, a file, a text, or an annotated label. */

import { request } from "./api.js";
import { open as openSearch } from "./named.js";
import { recall } from "./query-files.js";
import { FileSound, LabelSound, StoredSound, TextSound } from "./sounds.js";

/** Parameters of an address that name a query, or a part of it. */
export const NAMES = ["recording", "file", "text", "like_label", "named", "start", "end", "unmarked", "use_marks"];

/** @returns {URLSearchParams} the collection that holds a stored query; the search may be in another one */
function homeOf(params) {
  const name = params.get("home") || params.get("collection");
  return new URLSearchParams(name ? { collection: name } : {});
}

/** @returns {string|null} what tells queries apart; null where there is none */
export function keyOf(params) {
  const recording = params.get("recording");
  if (recording) return `${homeOf(params)}/${recording}`;
  if (params.has("named")) return `named ${params.get("collection") || ""}/${params.get("named")}`;
  if (params.has("like_label")) return `label ${params.get("collection") || ""}/${params.get("like_label")}`;
  return params.has("text") ? `text ${params.get("text")}` : params.get("file");
}

/** @returns {Promise<object|null>} the sound; null for a file that the browser no longer has */
export async function soundOf(params) {
  const id = params.get("recording");
  if (id) return new StoredSound(await request(`/api/recordings/${encodeURIComponent(id)}?${homeOf(params)}`));
  if (params.has("named")) return openSearch(params.get("named"));
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
  if (params.has("home")) nameFile(form, sound);
}

/** Write the query into the form of a request to another collection than the address's; null: to that one. */
export function describeQueryIn(form, sound, params, collection) {
  describeQuery(form, sound, params);
  if (collection === null || collection === (params.get("collection") || "default")) return;
  form.set("collection", collection);
  nameFile(form, sound);
}

/** A recording has its id in its own collection; elsewhere the server reads its file. */
function nameFile(form, sound) {
  if (!form.has("recording_id")) return;
  form.delete("recording_id");
  form.set("uri", sound.recording.uri);
}
