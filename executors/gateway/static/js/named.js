/** Named searches: the server keeps the query, its options, and the marks on what it finds. */

import { request } from "./api.js";
import { timeZone } from "./format.js";
import { collection } from "./route.js";
import { TextSound } from "./sounds.js";

const VERDICTS = { like: "right", unlike: "wrong" };
const NUMBERS = ["top_k", "min_score", "max_false_alarms"];
const TIMES = ["since", "until"];

const pathOf = (name, rest = "") => `/api/searches/${encodeURIComponent(name)}${rest}`;
const chosen = () => collection() || "default";
const inCollection = () => new URLSearchParams({ collection: chosen() });

/** @returns {Promise<object[]>} the named searches of the chosen collection */
export async function list() {
  return (await request(`/api/searches?${inCollection()}`)).searches;
}

/** Save a search; `form` is that of /api/search. */
export function save(name, form, isReplaced) {
  form.set("collection", chosen());
  if (isReplaced) form.set("replace", "true");
  return request(pathOf(name), { form });
}

/** Remove a search with its marks. */
export function remove(name) {
  return request(`${pathOf(name)}?${inCollection()}`, { method: "DELETE" });
}

/** Take back the latest mark. */
export function undo(name) {
  return request(pathOf(name, "/undo"), { json: { collection: chosen() } });
}

/** Add an annotation for each right place. */
export function accept(name, label) {
  return request(pathOf(name, "/accept"), { json: { collection: chosen(), label } });
}

/** @returns {Promise<NamedSearch>} the search with its marks */
export async function open(name) {
  return new NamedSearch(await request(`${pathOf(name)}?${inCollection()}`));
}

/** A named search as a query. It has nothing to draw: its sound may be gone. */
export class NamedSearch extends TextSound {
  /** @param {object} found of /api/searches */
  constructor(found) {
    super(found.name);
    this.found = found;
  }

  /** @returns {Promise<object>} an answer of /api/search */
  run(params, signal) {
    const json = { collection: chosen(), time_zone: timeZone() };
    for (const limit of NUMBERS) if (params.has(limit)) json[limit] = Number(params.get(limit));
    for (const time of TIMES) if (params.has(time)) json[time] = params.get(time);
    for (const name of ["unmarked", "use_marks"]) if (params.has(name)) json[name] = true;
    return request(pathOf(this.name, "/run"), { json, signal });
  }
}

/** The marks of a named search, for `Marks`. */
export class ServerMarks {
  /**
   * @param {NamedSearch} search
   * @param {(error: Error) => void} onFail
   */
  constructor(search, onFail) {
    Object.assign(this, { search, onFail });
    this.last = Promise.resolve();
  }

  /** @returns {string|undefined} the latest mark over a place */
  of(match) {
    // They are in the order of marking.
    const latest = this.search.found.marks.findLast((mark) => covers(mark, match));
    return Object.keys(VERDICTS).find((kind) => VERDICTS[kind] === latest?.verdict);
  }

  /** @returns {number} */
  count(kind) {
    return this.search.found.marks.filter(({ verdict }) => verdict === VERDICTS[kind]).length;
  }

  /** Mark a place, or clear the same mark; one after the other, as the keys are pressed. */
  toggle(match, kind) {
    this.last = this.last.then(async () => {
      const { recording_id, start_s, end_s } = match;
      const verdict = this.of(match) === kind ? "clear" : VERDICTS[kind];
      await request(pathOf(this.search.name, "/marks"), { json: { collection: chosen(), recording_id, start_s, end_s, verdict } });
      this.search.found = (await open(this.search.name)).found;
    });
    return this.last.catch((error) => {
      this.last = Promise.resolve();
      this.onFail(error);
    });
  }
}

/** A mark covers a place if they share half of the shorter one. */
function covers(mark, { recording_id: id, start_s: start, end_s: end }) {
  if (mark.recording_id !== id) return false;
  const shared = Math.min(mark.end_s, end) - Math.max(mark.start_s, start);
  return shared > 0 && shared >= 0.5 * Math.min(mark.end_s - mark.start_s, end - start);
}
