/** Anomalies: score a recording against what is normal, see why, and see the last day of watched folders. */

import { at, hasKey, request } from "./api.js";
import { button, byId, el, put } from "./dom.js";
import { count, nameOf, span } from "./format.js";
import { FileSound } from "./sounds.js";
import { empty, failure, loading } from "./states.js";

const WIDTH = 520;
/** Events of the last day that are counted, and rows that are shown. */
const [COUNTED, SHOWN] = [2000, 100];
/** @type {FileSound|null} the recording to score */
let chosen = null;
let models = [];

const pathOf = (name) => `/api/normal/${encodeURIComponent(name)}`;
const percent = (rate) => `${Number((100 * rate).toPrecision(2))} %`;
const model = () => byId("normal-model").value;

/** Show the models that are there now, and the last day of the chosen one. */
export async function showNormal() {
  const list = byId("normal-models");
  if (!list.firstChild) put(list, el("li", {}, loading("Loading …", 1)));
  const before = model();
  try {
    ({ models } = await request("/api/normal"));
  } catch (error) {
    put(list, el("li", {}, failure(error, showNormal)));
    return;
  }
  const none = el("li", {}, empty("No models yet", "Learn what sounds normal on the server: soundalike normal learn NAME FOLDER."));
  put(list, models.length ? models.map(row) : none);
  put(byId("normal-model"), ...models.map(({ name }) => el("option", { value: name }, name)));
  if (models.some(({ name }) => name === before)) byId("normal-model").value = before;
  draw();
  await showEvents();
}

function row({ name, recordings, false_alarm_rate: rate, false_alarm_interval: interval }) {
  const facts = `${count(recordings, "normal recording")}, ${percent(rate)} false alarms (95 % interval ${percent(interval[0])} to ${percent(interval[1])})`;
  return el("li", {}, el("div", { class: "what" }, el("strong", {}, name), el("span", { class: "quiet" }, facts)));
}

function draw() {
  byId("normal-score").disabled = !chosen || !models.length;
}

async function showEvents() {
  const list = byId("normal-events");
  if (!models.length) {
    put(list);
    return;
  }
  try {
    const path = `${pathOf(model())}/events?hours=24`;
    const [{ events }, { events: anomalies }] = await Promise.all([
      request(`${path}&limit=${COUNTED}`),
      request(`${path}&only_anomalous=true&limit=${SHOWN}`),
    ]);
    const none = el("li", { class: "quiet" }, "No recording was watched in the last day.");
    put(list, events.length ? [summary(events), ...notable(events, anomalies).map(eventRow)] : none);
  } catch (error) {
    put(list, el("li", {}, failure(error, showEvents)));
  }
}

/** Say how many of the recordings are anomalous, and how many failed. */
function summary(events) {
  const anomalous = events.filter(({ is_anomalous: isAnomalous }) => isAnomalous).length;
  const failed = events.filter(({ details }) => details.error).length;
  const which = events.length < COUNTED ? "" : "The latest ";
  return el("li", { class: "quiet" }, `${which}${count(events.length, "recording")}: ${anomalous} anomalous, ${failed} failed.`);
}

/** Return the anomalies and failures, and the latest others for which there is room, the latest first. */
function notable(events, anomalies) {
  const first = [...anomalies, ...events.filter(({ details }) => details.error)];
  const others = events.filter(({ is_anomalous: isAnomalous, details }) => !isAnomalous && !details.error);
  return [...first, ...others].slice(0, SHOWN).sort((one, two) => Date.parse(two.occurred_at) - Date.parse(one.occurred_at));
}

function eventRow({ uri, occurred_at: when, is_anomalous: isAnomalous, details }) {
  const { name } = nameOf({ uri, recording_id: "" });
  const result = details.error || (isAnomalous ? "anomalous" : "normal");
  const why = isAnomalous ? `, unusual at ${stretches(details.regions)}, score ${details.score.toFixed(2)}` : "";
  return el(
    "li",
    {},
    el("div", { class: "what" }, el("strong", {}, name), el("span", { class: "quiet" }, `${new Date(when).toLocaleString()}: ${result}${why}`)),
  );
}

const stretches = (regions) => regions.map(({ start_s: start, end_s: end }) => span(start, end)).join(", ");

/** Write the outcome where screen readers say it. */
function say(...children) {
  put(byId("normal-answer"), ...children);
}

async function score() {
  const [name, sound, form] = [model(), chosen, new FormData()];
  sound.describe(form);
  say(el("p", { class: "quiet" }, "Listening …"));
  try {
    const found = await request(`${pathOf(name)}/score/upload`, { form });
    say(...explained(found), await side(name, sound, found));
  } catch (error) {
    say(failure(error));
  }
}

function explained(found) {
  const verdict = found.is_anomalous ? "Anomalous" : "Normal";
  const where = found.regions.length > 0 && ` Unusual: ${stretches(found.regions)}.`;
  return [
    el("p", {}, el("strong", {}, verdict), `: score ${found.score.toFixed(2)}, threshold ${found.threshold.toFixed(2)}.`, where),
    el("p", { class: "quiet small" }, `Of normal recordings ${percent(found.false_alarm_rate)} are expected above the threshold.`),
  ];
}

/** Show the most unusual seconds beside the nearest normal clip. */
async function side(name, sound, { worst, nearest }) {
  const own = sound.spectrogram(worst.start_s, worst.end_s, WIDTH);
  const query = new URLSearchParams({ start: nearest.start_s, end: nearest.end_s, width: WIDTH, height: 128 });
  const path = `${pathOf(name)}/recordings/${encodeURIComponent(nearest.recording_id)}/spectrogram.png?${query}`;
  const normal = request(path, { as: "blob" }).then((picture) => (hasKey() ? URL.createObjectURL(picture) : at(path)));
  const { name: file } = nameOf({ uri: nearest.uri, recording_id: "" });
  return el("div", { class: "cards" }, [
    await figure(own, `Most unusual: ${span(worst.start_s, worst.end_s)}`),
    await figure(normal, `Nearest normal clip: ${file}, ${span(nearest.start_s, nearest.end_s)}`),
  ]);
}

async function figure(address, text) {
  const source = await address.catch(() => null);
  const picture = source ? el("img", { src: source, alt: `Spectrogram. ${text}`, width: WIDTH, height: 128, class: "wide" }) : el("p", { class: "quiet" }, "No picture; the file is not there.");
  return el("figure", { class: "card" }, picture, el("figcaption", {}, text));
}

function choose(file) {
  chosen = new FileSound(file);
  put(byId("normal-chosen"), el("strong", {}, chosen.name));
  say();
  draw();
}

byId("normal-file").addEventListener("change", (event) => {
  const [file] = event.target.files;
  event.target.value = "";
  if (file) choose(file);
});
byId("normal-model").addEventListener("change", showEvents);
byId("normal-score").addEventListener("click", score);
put(byId("normal-again"), button("again", "Refresh", showNormal));

/** Take a file that was dropped. */
export const takeRecording = ([file]) => choose(file);
