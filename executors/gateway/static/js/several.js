/** A search in several collections: together where encoder and windows are the same, otherwise one by one. */

import { request } from "./api.js";
import { describeQueryIn } from "./asked.js";
import * as marks from "./marks.js";
import * as options from "./options.js";
import { collections } from "./service.js";

const DEFAULT = "default";

/** @returns {string[]} the collections of an address, the chosen one first */
export function namesOf(params) {
  return [...new Set([params.get("collection") || DEFAULT, ...params.getAll("also")])];
}

/** Make another collection the chosen one, and search in the same ones. */
export function moveTo(params, name) {
  const names = namesOf(params);
  params.delete("collection");
  params.delete("also");
  if (name !== DEFAULT) params.set("collection", name);
  if (names.length > 1) for (const other of names) if (other !== name) params.append("also", other);
  return params;
}

/**
 * Search in the collections of an address.
 *
 * @param {object} sound the query
 * @param {URLSearchParams} params
 * @param {AbortSignal} signal
 * @returns {Promise<object>} an answer of /api/search
 */
export async function searchIn(sound, params, signal) {
  if (sound.run) return sound.run(params, signal);
  const names = namesOf(params);
  const groups = names.length > 1 ? await alike(names) : [names];
  const searches = groups.map((group) => request("/api/search", { form: formOf(sound, params, group), signal }));
  if (groups.length === 1) return searches[0];
  const ended = await Promise.allSettled(searches);
  const failed = ended.filter(({ status }) => status === "rejected");
  signal.throwIfAborted();
  if (failed.length === ended.length) throw failed[0].reason;
  const notSearched = ended.flatMap(({ reason }, index) => (reason ? [`Not searched: ${groups[index].join(", ")}. ${reason.detail || reason.message}`] : []));
  const answers = ended.flatMap(({ value }) => value ?? []);
  return merged(answers, Number(params.get("top_k")) || 10, [separately(groups), ...notSearched]);
}

function formOf(sound, params, group) {
  const form = new FormData();
  describeQueryIn(form, sound, params, group.includes(namesOf(params)[0]) ? null : group[0]);
  if (group.length > 1) for (const name of group) form.append("collections", name);
  options.describe(form, params);
  marks.describe(form, params);
  return form;
}

/** @returns {Promise<string[][]>} the names in groups with the same encoder and windows */
async function alike(names) {
  const known = new Map((await collections()).map((found) => [found.name, found]));
  const groups = new Map();
  for (const name of names) {
    const { encoder, fingerprint, dimension, window_s: window, stride_s: stride } = known.get(name) ?? { encoder: name };
    const kind = [encoder, fingerprint, dimension, window, stride].join(" ");
    groups.set(kind, [...(groups.get(kind) ?? []), name]);
  }
  return [...groups.values()];
}

function separately(groups) {
  const names = groups.map((group) => group.join(" and ")).join("; ");
  return `Searched separately, because encoders or windows differ: ${names}. The matches are in the order of their false-alarm rates; those of unknown rate come last.`;
}

/** Scores of different encoders cannot be compared; false-alarm rates can. */
function merged(answers, most, said) {
  const rate = ({ false_alarm_rate: known }) => known ?? Infinity;
  const byRate = (one, other) => (rate(one) === rate(other) ? other.score - one.score : rate(one) - rate(other));
  const matches = answers.flatMap((answer) => answer.matches).sort(byRate);
  const ranked = matches.slice(0, most).map((match, index) => ({ ...match, rank: index + 1 }));
  const encoder = [...new Set(answers.map((answer) => answer.encoder))].join(", ");
  const warnings = [...said, ...new Set(answers.flatMap((answer) => answer.warnings))];
  return { ...answers[0], matches: ranked, encoder, warnings };
}
