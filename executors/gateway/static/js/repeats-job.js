/** A job that compares recordings, on the page: a button, its progress, a way to stop it, and its result. */

import { request } from "./api.js";
import { button, el, put } from "./dom.js";
import { follow } from "./jobs.js";
import { collection } from "./route.js";
import { failure, sentence } from "./states.js";

/**
 * Make the part of a view that starts a job.
 *
 * @param {object} wanted
 * @param {string} wanted.path of the route that starts it
 * @param {string} wanted.text of the button
 * @param {(result: object) => void} wanted.onResult
 * @returns {HTMLElement}
 */
export function repeatsJob({ path, text, onResult }) {
  const bar = el("progress", { max: 1, "aria-label": text, hidden: true });
  const said = el("div", { role: "status" });
  let id = null;
  const stop = button("stop", "Stop", () => id && request(`/api/jobs/${id}`, { method: "DELETE" }).catch(fail), { hidden: true });
  const start = button("search", text, run, { class: "primary" });

  function draw(isRunning) {
    start.disabled = isRunning;
    bar.hidden = stop.hidden = !isRunning;
  }

  function fail(error) {
    put(said, failure(error));
  }

  function show({ state, done, total }) {
    if (total) bar.value = done / total;
    else bar.removeAttribute("value");
    put(said, el("p", { class: "quiet" }, state === "waiting" ? "Waiting for other jobs …" : `${done} of ${total ?? "…"} steps`));
  }

  async function run() {
    draw(true);
    put(said);
    try {
      const job = await request(path, { json: collection() ? { collection: collection() } : {} });
      ({ id } = job);
      show(job);
      const last = await follow(id, show);
      put(said);
      if (last.state === "done") onResult(await request(`/api/jobs/${id}/result`));
      else if (last.errors?.length) put(said, failure(last.errors[0]));
      else put(said, el("p", {}, sentence("the job was stopped")));
    } catch (error) {
      fail(error);
    }
    draw(false);
  }

  return el("div", { class: "job" }, el("div", { class: "row" }, start, stop), bar, said);
}
