/** Speakers: enrol a voice, tell who speaks, hear recordings again, and remove them. */

import { at, hasKey, request } from "./api.js";
import { byId, button, el, put } from "./dom.js";
import { count, length } from "./format.js";
import { isSure } from "./library.js";
import { play, watch } from "./player.js";
import { setUpRecorder } from "./recorder.js";
import { FileSound } from "./sounds.js";
import { empty, failure, loading, notice } from "./states.js";

/** @type {FileSound|null} the recording that was chosen or made */
let chosen = null;
let speakers = [];
const playing = new Set();

/** A recording of an enrolled speaker. */
class Utterance {
  constructor(speaker, found, number) {
    this.name = `${speaker}, recording ${number}`;
    this.durationS = found.duration_s;
    this.path = `${pathOf(speaker)}/utterances/${encodeURIComponent(found.recording_id)}`;
  }

  /** @returns {Promise<{url: string, offset: number}>} */
  async audio() {
    const path = `${this.path}/audio`;
    return { url: hasKey() ? URL.createObjectURL(await request(path, { as: "blob" })) : at(path), offset: 0 };
  }
}

const pathOf = (speaker) => `/api/speakers/${encodeURIComponent(speaker)}`;
const percent = (rate) => `${Number((100 * rate).toPrecision(2))} %`;

/** Show the speakers that are enrolled now. */
export async function showSpeakers() {
  const list = byId("speakers");
  if (!list.firstChild) put(list, el("li", {}, loading("Loading …", 1)));
  try {
    ({ speakers } = await request("/api/speakers"));
  } catch (error) {
    put(list, el("li", {}, failure(error, showSpeakers)));
    return;
  }
  draw();
}

function draw() {
  playing.clear();
  const none = el("li", {}, empty("No speakers yet", "Record or choose a voice, give it a name, and enrol it."));
  put(byId("speakers"), speakers.length ? speakers.map(row) : none);
  put(byId("speaker-names"), ...speakers.map(({ name }) => el("option", { value: name })));
  byId("identify").disabled = !chosen || !speakers.length;
  byId("enrol").disabled = !chosen;
}

function row(speaker) {
  const { name, utterances, speech_s: speech } = speaker;
  const recordings = el("ul", { class: "recordings" });
  const show = button(null, "Recordings", () => unfold(name, show, recordings), { label: `Show the recordings of ${name}`, "aria-expanded": "false" });
  const facts = `${count(utterances, "recording")}, ${length(speech)} of speech`;
  return el(
    "li",
    {},
    el("div", { class: "what" }, el("strong", {}, name), el("span", { class: "quiet" }, facts)),
    el(
      "div",
      { class: "row" },
      show,
      button(null, "Verify", () => verify(name), { label: `Verify whether ${name} speaks`, disabled: !chosen }),
      button("delete", null, () => removeSpeaker(name), { label: `Remove ${name}`, class: "plain" }),
    ),
    recordings,
  );
}

async function unfold(name, show, list) {
  const isOpen = show.getAttribute("aria-expanded") === "true";
  show.setAttribute("aria-expanded", String(!isOpen));
  put(list);
  if (isOpen) return;
  try {
    const { utterances } = await request(pathOf(name));
    put(list, utterances.map((found, index) => utteranceRow(name, found, index + 1)));
  } catch (error) {
    put(list, el("li", {}, failure(error)));
  }
}

function utteranceRow(name, found, number) {
  const sound = new Utterance(name, found, number);
  const said = el("p", { class: "small bad-text", role: "alert" });
  const listen = () => play(sound, 0, sound.durationS, { onFail: (text) => (said.textContent = text) });
  const start = button("play", null, listen, { label: `Play ${sound.name}`, "aria-pressed": "false", class: "round" });
  playing.add({ sound, start });
  return el(
    "li",
    {},
    start,
    el("div", { class: "what" }, el("strong", {}, `Recording ${number}`), el("span", { class: "quiet" }, `${length(found.speech_s)} of speech`), said),
    button("delete", null, () => removeUtterance(sound), { label: `Remove ${sound.name}`, class: "plain" }),
  );
}

async function removeSpeaker(name) {
  const text = `${name} can then no longer be identified. Files on the server stay, unless they were uploaded.`;
  if (await isSure("Remove this speaker?", text)) await remove(pathOf(name), `${name} was removed.`);
}

async function removeUtterance(sound) {
  const text = "The speaker is then known by the other recordings. The last one takes the speaker along.";
  if (await isSure("Remove this recording?", text)) await remove(sound.path, "The recording was removed.");
}

async function remove(path, told) {
  try {
    await request(path, { method: "DELETE" });
    say(el("p", {}, told));
  } catch (error) {
    say(failure(error));
  }
  await showSpeakers();
  byId("speakers-title").focus();
}

/** Write the outcome where screen readers say it. */
function say(...children) {
  put(byId("voice-answer"), ...children);
}

/** Send the chosen recording, and tell the outcome. */
async function ask(path, tell) {
  const form = new FormData();
  chosen.describe(form);
  say(el("p", { class: "quiet" }, "Listening …"));
  try {
    say(...tell(await request(path, { form })));
    return true;
  } catch (error) {
    say(failure(error));
    return false;
  }
}

const identify = () =>
  ask("/api/speakers/identify/upload", (found) => {
    const others = found.candidates.map(({ speaker, score }) => el("li", {}, `${speaker}: ${score.toFixed(2)}`));
    const answer = found.speaker ? ["This is ", el("strong", {}, found.speaker), "."] : "No enrolled speaker.";
    return [el("p", {}, answer), el("p", { class: "quiet small" }, "Scores:"), el("ol", {}, others), certainty(found)];
  });

const verify = (name) =>
  ask(`${pathOf(name)}/verify/upload`, (found) => {
    const answer = found.accepted ? ["Yes, this is ", el("strong", {}, name), "."] : ["No, this is not ", el("strong", {}, name), "."];
    return [el("p", {}, answer, ` Score ${found.score.toFixed(2)}.`), certainty(found)];
  });

function certainty(found) {
  const { threshold, false_accept_rate: rate, false_accept_interval: interval, measured_on: where } = found;
  const known = rate !== null && ` At this threshold ${percent(rate)} of strangers are accepted (95 % interval ${percent(interval[0])} to ${percent(interval[1])}), measured on ${where}.`;
  return el("p", { class: "quiet small" }, `Accepted from ${threshold.toFixed(2)} on.`, known);
}

function choose(file) {
  chosen = new FileSound(file);
  const sound = chosen;
  const listen = async () => {
    try {
      if (!sound.durationS) await sound.waveform();
      await play(sound, 0, sound.durationS, { onFail: (text) => say(notice(el("p", { role: "alert" }, text))) });
    } catch (error) {
      say(failure(error));
    }
  };
  const start = button("play", "Play", listen, { label: `Play ${sound.name}`, "aria-pressed": "false" });
  put(byId("voice"), el("p", {}, el("strong", {}, sound.name)), start);
  say();
  draw();
  playing.add({ sound, start });
}

watch((now) => {
  for (const { sound, start } of playing) start.setAttribute("aria-pressed", String(now?.sound === sound));
});
setUpRecorder(byId("voice-record"), byId("voice-recording"), choose);
byId("voice-file").addEventListener("change", (event) => {
  const [file] = event.target.files;
  event.target.value = "";
  if (file) choose(file);
});
byId("identify").addEventListener("click", identify);
byId("enrol-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = event.currentTarget.elements.speaker.value.trim();
  if (!chosen || !name) return;
  const told = ({ outcome, speech_s: speech }) => [
    el("p", {}, outcome === "added" ? `${name} was enrolled with ${length(speech)} of speech.` : `${name} has this recording already.`),
  ];
  if (await ask(`${pathOf(name)}/upload`, told)) await showSpeakers();
});

/** Take a file that was dropped. */
export const take = ([file]) => choose(file);
