/** Jobs: their progress, their errors, and a way to stop them. */

import { at, hasKey, request } from "./api.js";
import { byId, button, el, put } from "./dom.js";
import { count, shortFolder, unsearchable } from "./format.js";
import { failure, sentence } from "./states.js";

const POLL_MS = 800;
/** A restart of the service may take so long. */
const RESTART_MS = 120_000;
const OVER = ["done", "failed", "cancelled"];
const WORDS = { waiting: "waiting", running: "working", done: "done", failed: "failed", cancelled: "stopped" };
const rows = new Map();

/** @returns {boolean} whether a job has ended */
export const isOver = (job) => OVER.includes(job.state);

/**
 * Show a job, and follow it to its end.
 *
 * @param {object} job
 * @param {Function} onEnd called with the job at its end
 */
export async function showJob(job, onEnd) {
  // Jobs that compare recordings have views of their own.
  if (rows.has(job.id) || ["duplicates", "motifs"].includes(job.kind)) return;
  const row = new Row(job);
  rows.set(job.id, row);
  byId("jobs-part").hidden = false;
  byId("jobs").prepend(row.element);
  if (isOver(job)) return;
  row.say(`${row.title}: started`);
  const last = await follow(job.id, (next) => row.show(next)).catch((error) => row.fail(error));
  if (last) {
    row.say(`${row.title}: ${WORDS[last.state]}, ${row.summary(last)}`);
    onEnd(last);
  }
}

/**
 * Follow a job by server-sent events, and by polling where they are not available.
 *
 * @returns {Promise<object>} the job at its end
 */
export async function follow(id, onProgress) {
  // An EventSource cannot carry a key.
  if (!hasKey()) await streamed(id, onProgress);
  // A service that is started again resumes its jobs.
  let lost = 0;
  for (;;) {
    const job = await request(`/api/jobs/${id}`).catch((error) => {
      lost += POLL_MS;
      if (error.status || lost > RESTART_MS) throw error;
    });
    if (job) {
      lost = 0;
      onProgress(job);
      if (isOver(job)) return job;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function streamed(id, onProgress) {
  return new Promise((resolve) => {
    const events = new EventSource(at(`/api/jobs/${id}/events`));
    const finish = () => {
      events.close();
      resolve();
    };
    events.addEventListener("progress", (event) => onProgress(JSON.parse(event.data)));
    events.addEventListener("end", finish);
    events.addEventListener("error", finish);
  });
}

class Row {
  constructor(job) {
    this.id = job.id;
    this.title = job.kind === "upload" ? `Upload of ${count(job.total ?? 0, "file")}` : shortFolder(job.folder || "folder", 4);
    this.bar = el("progress", { max: 1, "aria-label": this.title });
    this.state = el("p", { class: "quiet" });
    this.errors = el("div", {});
    this.warnings = el("div", {});
    // Errors from before the page was opened are not urgent.
    this.isNew = !isOver(job);
    this.stop = button("stop", "Stop", () => this.cancel(), { label: `Stop: ${this.title}` });
    this.element = el("li", { class: "job" }, el("div", { class: "what" }, el("strong", { title: job.folder }, this.title), this.bar, this.state, this.errors, this.warnings), this.stop);
    this.show(job);
  }

  show(job) {
    const over = isOver(job);
    this.element.dataset.state = job.state;
    if (job.total) this.bar.value = job.done / job.total;
    else if (over) this.bar.value = 1;
    else this.bar.removeAttribute("value");
    this.stop.hidden = over;
    this.state.textContent = `${WORDS[job.state] || job.state}: ${this.summary(job)}`;
    const shown = this.errors.querySelectorAll("li").length;
    if (job.errors?.length !== shown) this.showErrors(job);
    if (job.warnings?.length !== this.warnings.querySelectorAll("li").length) this.showWarnings(job);
  }

  summary(job) {
    if (job.total === null) return "counting the files";
    const parts = ["added", "replaced", "unchanged", "failed", "skipped", "pruned", "left_out"]
      .filter((name) => job[name])
      .map((name) => `${job[name]} ${name.replace("_", " ")}`);
    if (job.unsearchable) parts.push(unsearchable(job.unsearchable));
    return [`${job.done} of ${count(job.total, "file")}`, ...parts].join(", ");
  }

  showErrors(job) {
    const { errors = [] } = job;
    const lines = errors.map(({ uri, code, detail }) =>
      el("li", {}, el("strong", {}, uri || ""), " ", sentence(detail), el("span", { class: "quiet" }, ` (${code})`)),
    );
    const more = (job.failed || 0) - errors.length;
    put(
      this.errors,
      lines.length > 0 &&
        el(
          "details",
          { class: "errors", open: this.isNew },
          el("summary", {}, count(job.failed || errors.length, "file could not be used", "files could not be used")),
          el("ul", {}, lines),
          more > 0 && el("p", { class: "quiet" }, `and ${more} more`),
        ),
    );
  }

  /** Warnings about stored files. */
  showWarnings({ warnings = [] }) {
    const lines = warnings.map(({ uri, detail }) => el("li", {}, el("strong", {}, uri), " ", sentence(detail)));
    put(
      this.warnings,
      lines.length > 0 &&
        el("details", { class: "errors" }, el("summary", {}, count(lines.length, "warning")), el("ul", {}, lines)),
    );
  }

  async cancel() {
    try {
      await request(`/api/jobs/${this.id}`, { method: "DELETE" });
    } catch (error) {
      this.fail(error);
    }
  }

  fail(error) {
    put(this.errors, failure(error));
  }

  say(text) {
    byId("jobs-announcer").textContent = text;
  }
}
