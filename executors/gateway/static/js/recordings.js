/** A list of stored recordings, page by page: in the library, and to pick a query from. */

import { request } from "./api.js";
import { button, el, put } from "./dom.js";
import { length, shortFolder } from "./format.js";
import { offerFolders } from "./options.js";
import { play, watch } from "./player.js";
import { showPlaying } from "./query.js";
import { recordingTime } from "./recording-time.js";
import { withCollection } from "./route.js";
import { StoredSound } from "./sounds.js";
import { empty, failure, loading, sentence } from "./states.js";

const PAGE = 50;

/** A list with its filters. */
export class RecordingList {
  /**
   * @param {HTMLElement} parent
   * @param {object} actions
   * @param {string} actions.use what the first button says
   * @param {(found: object) => void} actions.onUse
   * @param {(found: object) => Promise<boolean>} [actions.onDelete] resolves to whether it was deleted
   */
  constructor(parent, actions) {
    this.actions = actions;
    this.label = el("select", { onchange: () => this.load() });
    this.folder = el("select", { onchange: () => this.load() });
    this.list = el("ul", { class: "recordings" });
    this.state = el("div", { "aria-live": "polite" });
    this.rows = new Set();
    put(
      parent,
      el(
        "div",
        { class: "row" },
        el("label", { class: "field" }, el("span", {}, "Label"), this.label),
        el("label", { class: "field" }, el("span", {}, "Folder"), this.folder),
      ),
      this.list,
      this.state,
    );
    watch((playing) => {
      for (const { sound, start } of this.rows) showPlaying(start, playing?.sound === sound);
    });
  }

  /** Offer labels and folders to narrow the list by. */
  offer(labels, folders) {
    const chosen = this.label.value;
    put(
      this.label,
      el("option", { value: "" }, "all labels"),
      labels.map(({ label, files }) => el("option", { value: label }, `${label} (${files})`)),
    );
    this.label.value = labels.some(({ label }) => label === chosen) ? chosen : "";
    offerFolders(this.folder, folders);
  }

  /** Show the first page; with a label or a folder, only matching recordings. */
  async load({ label, folder } = {}) {
    if (label !== undefined) this.label.value = label;
    if (folder !== undefined) this.folder.value = folder.endsWith("/") ? folder : `${folder}/`;
    this.rows.clear();
    put(this.list);
    await this.more("");
  }

  async more(after) {
    const params = withCollection({ limit: PAGE });
    if (this.label.value) params.set("label", this.label.value);
    if (this.folder.value) params.set("uri_prefix", this.folder.value);
    if (after) params.set("after", after);
    const asked = `${params}`;
    this.asked = asked;
    put(this.state, loading("Reading the list …", after ? 0 : 3));
    try {
      const { recordings, next } = await request(`/api/recordings?${params}`);
      // Another label was chosen meanwhile.
      if (this.asked !== asked) return;
      this.list.append(...recordings.map((found) => this.row(found)));
      const none = !this.list.firstChild;
      put(
        this.state,
        none && empty("No recordings here", "Choose another label or folder, or add recordings."),
        next && button(null, "Show more", () => this.more(next)),
      );
    } catch (error) {
      put(this.state, failure(error, () => this.more(after)));
    }
  }

  row(found) {
    const sound = new StoredSound(found);
    const said = el("p", { class: "small bad-text" }, found.error_code ? `${sentence(found.error)} (${found.error_code})` : "");
    const listen = () => play(sound, 0, found.duration_s, { onFail: (text) => (said.textContent = text) });
    const start = button("play", null, listen, { label: `Play ${sound.name}`, "aria-pressed": "false", class: "round" });
    const usable = !found.error_code;
    if (usable) this.rows.add({ sound, start });
    const facts = [found.label, found.duration_s && length(found.duration_s)].filter(Boolean).join(" · ");
    const began = recordingTime(found.recorded_at, found.recorded_at_source);
    const row = el(
      "li",
      {},
      usable && start,
      el(
        "div",
        { class: "what" },
        el("strong", {}, sound.name),
        el("span", { class: "quiet folder", title: sound.folder }, shortFolder(sound.folder)),
        el("span", { class: "quiet" }, facts, began && " · ", began),
        said,
      ),
      usable && button("like", this.actions.use, () => this.actions.onUse(found), { label: `${this.actions.use}: ${sound.name}` }),
      this.actions.onDelete && button("delete", null, () => this.remove(found, row), { label: `Delete ${sound.name}`, class: "plain" }),
    );
    return row;
  }

  async remove(found, row) {
    try {
      if (await this.actions.onDelete(found)) {
        const next = row.nextElementSibling || row.previousElementSibling;
        row.remove();
        next?.querySelector("button")?.focus();
      }
    } catch (error) {
      put(this.state, failure(error));
    }
  }
}
