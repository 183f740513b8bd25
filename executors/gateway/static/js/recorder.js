/** Recording from the microphone, with MediaRecorder. */

import { button, el, put } from "./dom.js";
import { notice } from "./states.js";

const LONGEST_S = 60;
const REASONS = {
  NotAllowedError: "The browser may not use the microphone. Allow it in the site settings beside the address, then press Record again.",
  NotFoundError: "No microphone was found. Connect one, then press Record again.",
  NotReadableError: "Another program is using the microphone. Close that program, then press Record again.",
};

/**
 * Let a button record.
 *
 * @param {HTMLButtonElement} start
 * @param {HTMLElement} state for messages
 * @param {(file: File) => void} onDone
 */
export function setUpRecorder(start, state, onDone) {
  start.addEventListener("click", async () => {
    if (!navigator.mediaDevices?.getUserMedia || !window.MediaRecorder) {
      const why = window.isSecureContext
        ? "This browser cannot record. Record with another program, and choose the file."
        : "Browsers record only on https pages and on this computer's own address. Record with another program, and choose the file.";
      put(state, notice(el("p", { role: "alert" }, why)));
      return;
    }
    start.disabled = true;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        // Processing for speech would change the sound.
        audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
      });
      put(state);
      onDone(await recorded(stream, state));
    } catch (error) {
      put(state, notice(el("p", { role: "alert" }, REASONS[error.name] || `Nothing was recorded: ${error.message}.`)));
    } finally {
      start.disabled = false;
    }
  });
}

async function recorded(stream, state) {
  const recorder = new MediaRecorder(stream);
  const parts = [];
  const time = el("span", { class: "time" }, "0.0 s");
  const level = el("meter", { min: 0, max: 1, "aria-label": "Loudness" });
  const stop = button("stop", "Stop", () => recorder.stop(), { class: "primary" });
  put(state, el("div", { class: "recording" }, el("span", { class: "lamp", "aria-hidden": "true" }), el("span", { role: "status" }, "Recording"), time, level, stop));
  stop.focus();
  recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
  const ended = new Promise((resolve) => recorder.addEventListener("stop", resolve, { once: true }));
  const hush = listen(stream, level);
  const began = performance.now();
  recorder.start();
  const ticking = setInterval(() => {
    const passed = (performance.now() - began) / 1000;
    time.textContent = `${passed.toFixed(1)} s of at most ${LONGEST_S} s`;
    if (passed >= LONGEST_S) recorder.stop();
  }, 100);
  try {
    await ended;
  } finally {
    clearInterval(ticking);
    hush();
    for (const track of stream.getTracks()) track.stop();
    put(state);
  }
  const type = recorder.mimeType.split(";")[0];
  const ending = { "audio/mp4": "m4a", "audio/ogg": "ogg" }[type] || "webm";
  const at = new Date().toTimeString().slice(0, 8).replaceAll(":", ".");
  return new File(parts, `microphone ${at}.${ending}`, { type });
}

/** Show the level; returns a function that stops it. */
function listen(stream, level) {
  const context = new AudioContext();
  const meter = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(meter);
  const samples = new Float32Array(meter.fftSize);
  const timer = setInterval(() => {
    meter.getFloatTimeDomainData(samples);
    level.value = Math.min(1, samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0));
  }, 80);
  return () => {
    clearInterval(timer);
    context.close();
  };
}
