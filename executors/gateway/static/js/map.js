/** The map of the collection: similar recordings close together. The drawing is that of the map as a file. */

import { at, hasKey, request } from "./api.js";
import { byId, button, el, icon, put } from "./dom.js";
import { play } from "./player.js";
import { address, collection, current, keep, withCollection } from "./route.js";
import { lastMatches } from "./search.js";
import { StoredSound } from "./sounds.js";
import { failure, loading } from "./states.js";
import { MapView } from "../map/view.js";

/** A picture is fetched when the pointer rests this long. */
const REST_MS = 200;
const WIDTH = 144;
const HEIGHT = 72;
let shown = null;
let running = null;

/** Show the map that the address names; the same map is not fetched again. */
export async function showMap(params) {
  const points = params.get("points") === "windows" ? "windows" : "recordings";
  byId("map-points").value = points;
  const key = `${collection()} ${points}`;
  if (shown?.key === key) {
    shown.view.light(...hits(shown.data));
    return;
  }
  await load(key, points, {});
}

async function load(key, points, more) {
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  shown = null;
  put(byId("map"), loading("Making the map. The first map of a large collection takes minutes.", 1));
  try {
    const asked = { points, ...more, ...(collection() && { collection: collection() }) };
    const data = await request("/api/map", { json: asked, signal });
    const view = new MapView(byId("map"), data, actions(data));
    shown = { key, data, view };
    view.light(...hits(data));
  } catch (error) {
    if (error.name !== "AbortError") put(byId("map"), failure(error, () => load(key, points, more)));
  }
}

function actions(data) {
  const sounds = new Map();
  const soundOf = (number) => {
    if (!sounds.has(number)) {
      const { uri, recording_id: ids, duration_s: lengths } = data.columns;
      sounds.set(number, new StoredSound({ uri: uri[number], recording_id: ids[number], duration_s: lengths[number] }));
    }
    return sounds.get(number);
  };
  const part = (number) => [data.columns.start_s[number], data.columns.end_s[number]];
  const said = el("p", { class: "quiet small", role: "status" });
  const listen = (number) => {
    said.textContent = "";
    return play(soundOf(number), ...part(number), { onFail: (text) => (said.textContent = text) });
  };
  return {
    colour: current().params.get("colour"),
    onColour: (name) => keep({ colour: name }),
    onOpen: listen,
    pictureOf: (number) => picture(soundOf(number), ...part(number)),
    detailsOf: (number) => [
      picture(soundOf(number), ...part(number)),
      el("div", { class: "row" }, button("play", "Play", () => listen(number)), el("a", { class: "button", href: similar(data, number) }, icon("like"), el("span", {}, "More like this"))),
      said,
    ],
  };
}

/** @returns {string} the address of a search with a point */
function similar({ columns, points }, number) {
  const part = points === "windows" ? { start: columns.start_s[number], end: columns.end_s[number] } : {};
  return address("search", withCollection({ recording: columns.recording_id[number], exclude_self: "true", ...part }));
}

/** A spectrogram that is fetched when it is looked at for a while. */
function picture(sound, start, end) {
  const image = el("img", { class: "map-picture", alt: "Spectrogram", width: WIDTH, height: HEIGHT, hidden: true });
  setTimeout(async () => {
    if (!image.isConnected) return;
    const query = withCollection({ start, end: Math.min(end, start + 60), width: WIDTH, height: HEIGHT });
    const path = `/api/recordings/${encodeURIComponent(sound.id)}/spectrogram.png?${query}`;
    // A file may be gone: then there is no picture.
    const source = hasKey() ? await request(path, { as: "blob" }).then(URL.createObjectURL, () => "") : at(path);
    image.addEventListener("load", () => (image.hidden = false));
    if (source) image.src = source;
  }, REST_MS);
  return image;
}

/** @returns {[number[], string]} the points of the last search's matches, and what they are called */
function hits({ columns, points }) {
  const matches = lastMatches().filter((match) => (match.collection || "default") === (collection() || "default"));
  const byId = new Map(matches.map((match) => [match.recording_id, match]));
  const found = [];
  columns.recording_id.forEach((id, number) => {
    const match = byId.get(id);
    const isThere = match && (points === "recordings" || (columns.start_s[number] < match.end_s && columns.end_s[number] > match.start_s));
    if (isThere) found.push(number);
  });
  return [found, `${found.length === 1 ? "hit" : "hits"} of the last search, ringed`];
}

// Recordings may have been added or deleted.
addEventListener("library-changed", () => (shown = null));
byId("map-points").addEventListener("change", ({ target }) => {
  keep({ points: target.value === "windows" ? "windows" : null });
  showMap(current().params);
});
byId("map-refit").addEventListener("click", () => {
  const points = byId("map-points").value;
  load(`${collection()} ${points}`, points, { refit: true });
});
