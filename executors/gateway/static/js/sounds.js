/** Stored recordings, local files and texts, with the same methods for searching; sounds also for drawing and playing. */

import { at, hasKey, request } from "./api.js";
import { nameOf } from "./format.js";
import { withCollection } from "./route.js";

const POINTS = 600;
/** As WAV a minute takes some megabytes; longer parts are smaller as the file that they are in. */
const SHORT_S = 60;
/** Waveforms that were drawn lately. */
const kept = new Map();
const KEPT = 200;

/** A recording of the library. */
export class StoredSound {
  /** @param {object} found a match, or a recording of the library */
  constructor(found) {
    this.recording = found;
    this.id = found.recording_id;
    this.durationS = found.duration_s;
    Object.assign(this, nameOf(found));
  }

  address(what, others = {}) {
    const params = withCollection(others);
    if (this.recording.collection) params.set("collection", this.recording.collection);
    const query = params.toString();
    return `/api/recordings/${encodeURIComponent(this.id)}${what}${query ? `?${query}` : ""}`;
  }

  /** @returns {Promise<{peaks: number[][]}>} */
  waveform(start, end) {
    const path = this.address("/waveform", { start, end, points: POINTS });
    return remembered(path, () => request(path));
  }

  /** @returns {Promise<string>} the address of a picture; one that begins with `blob:` is to be revoked */
  async spectrogram(start, end, width) {
    const path = this.address("/spectrogram.png", { start, end, width, height: 128 });
    return hasKey() ? URL.createObjectURL(await request(path, { as: "blob" })) : at(path);
  }

  /** @returns {Promise<{url: string, offset: number}>} the whole file; with a key short parts are fetched alone */
  async audio(start, end) {
    const path = this.address("/audio");
    if (!hasKey()) return { url: at(path), offset: 0 };
    if (end - start <= SHORT_S) return this.cutOut(start, end);
    return { url: URL.createObjectURL(await request(path, { as: "blob" })), offset: 0 };
  }

  /** @returns {Promise<{url: string, offset: number}>} the part as WAV, which every browser plays */
  async cutOut(start, end) {
    const path = this.address("/audio", { start, end });
    return { url: URL.createObjectURL(await request(path, { as: "blob" })), offset: start };
  }

  /** Write the query of a search into a form. */
  describe(form) {
    form.set("recording_id", this.id);
  }
}

/** A file that was chosen, dropped or recorded. */
export class FileSound {
  /** @param {File} file */
  constructor(file) {
    this.file = file;
    this.id = null;
    this.name = file.name;
    this.folder = "";
    this.durationS = 0;
  }

  async waveform(start, end) {
    const answer = await request("/api/waveform", { form: this.form({ start, end, points: POINTS }) });
    this.durationS = answer.duration_s;
    return answer;
  }

  async spectrogram(start, end, width) {
    const form = this.form({ start, end, width, height: 128 });
    return URL.createObjectURL(await request("/api/spectrogram.png", { form, as: "blob" }));
  }

  async audio() {
    return { url: URL.createObjectURL(this.file), offset: 0 };
  }

  describe(form) {
    form.set("file", this.file, this.name);
  }

  form(others) {
    const form = new FormData();
    this.describe(form);
    for (const [name, value] of Object.entries(others)) {
      if (value !== undefined) form.set(name, value);
    }
    return form;
  }
}

/** A description of a sound, which has nothing to draw or play. */
export class TextSound {
  /** @param {string} text */
  constructor(text) {
    this.name = text;
    this.id = null;
    this.folder = "";
    this.durationS = 0;
  }

  describe(form) {
    form.set("text", this.name);
  }
}

/** The annotated spans that have a label. */
export class LabelSound extends TextSound {
  /** @param {string} label */
  constructor(label) {
    super(`label: ${label}`);
    this.label = label;
  }

  describe(form) {
    form.set("like_label", this.label);
  }
}

/** Keep answers about stored sounds: a repeated search draws the same ones. */
async function remembered(key, ask) {
  if (!kept.has(key)) {
    if (kept.size >= KEPT) kept.delete(kept.keys().next().value);
    kept.set(key, ask());
    kept.get(key).catch(() => kept.delete(key));
  }
  return kept.get(key);
}
