/** The library: its recordings and encoder; add and delete recordings. */

import { at, request, upload } from "./api.js";
import { byId, button, el, icon, put } from "./dom.js";
import { bytes, count, earlierDecoder, nameOf, shortFolder, unsearchable } from "./format.js";
import { showJob } from "./jobs.js";
import { RecordingList } from "./recordings.js";
import { collection, withCollection } from "./route.js";
import { WEIGHT_FREE } from "./score.js";
import * as search from "./search.js";
import * as service from "./service.js";
import { empty, failure, loading, sentence } from "./states.js";

let chosen = [];
const MOST_JOBS = 5;
/** Number of folders that are shown at first. */
const SOME = 10;
const list = new RecordingList(byId("recordings"), {
  use: "More like this",
  onUse: (found) => search.look({ recording: found.recording_id, exclude_self: "true" }),
  onDelete: removeRecording,
});

/** Show the current state of the library. */
export async function showLibrary() {
  const state = byId("library-state");
  if (!state.firstChild) put(state, loading("Loading …", 1));
  try {
    await service.refresh();
    const { jobs } = await request("/api/jobs");
    for (const job of jobs.slice(0, MOST_JOBS).reverse()) showJob(job, changed);
  } catch (error) {
    put(state, failure(error, showLibrary));
    return;
  }
  draw(state);
  if (service.status.files > 0) await list.load();
}

function draw(state) {
  const { recordings, files, windows, unsearchable: hidden, earlier_decoder: earlier } = service.status;
  const stored = files > 0;
  const number = (value, name) => el("div", {}, el("dt", {}, name), el("dd", {}, value.toLocaleString("en").replaceAll(",", "\u202f")));
  put(
    state,
    stored
      ? el("dl", { class: "counts" }, number(recordings, "recordings"), number(files, "files"), number(windows, "windows"))
      : empty("The library is empty", "Upload files from this computer, or add a folder that the server can read."),
    stored && recordings < files && el("p", { class: "quiet small" }, "Files with the same audio count as one recording."),
    hidden > 0 && el("p", { class: "quiet small" }, `${unsearchable(hidden)}.`),
    earlier > 0 && el("p", { class: "notice" }, icon("warning"), el("span", {}, `${earlierDecoder(earlier)}. On the server: `, el("code", {}, "soundalike reindex"))),
  );
  drawEncoder();
  byId("recordings-part").hidden = byId("folders-part").hidden = !stored;
  drawFolders(SOME);
  put(byId("roots"), ...(service.status.roots || []).map((root) => el("option", { value: root })));
  list.offer(service.labels, service.folders);
  dispatchEvent(new CustomEvent("library-changed"));
}

function drawEncoder() {
  const { encoder, configured_encoder: configured, encoder_description: description, encoder_level: level } = service.status;
  const { window_s: window, stride_s: stride, dimension } = service.status;
  const { encoder_licence: licence, encoder_attribution: makers, takes_text: takesText } = service.status;
  const name = encoder || configured || "unknown";
  const code = (text) => el("code", {}, text);
  put(
    byId("encoder"),
    el("p", {}, el("strong", {}, name), name === WEIGHT_FREE && el("span", { class: "label warn" }, "weight-free")),
    el("p", { class: "quiet" }, name === configured && description ? sentence(description) : ""),
    name === configured && level && el("p", { class: "quiet small" }, `Level of a recording: ${level}.`),
    name === configured && licence && el("p", { class: "quiet small" }, `Licence: ${licence}${makers ? `. ${sentence(makers)}` : ""}`),
    takesText && el("p", { class: "quiet small" }, "Takes texts as queries."),
    window && el("p", { class: "quiet small" }, `Windows of ${window} s, one every ${stride} s; ${dimension} dimensions.`),
    name === WEIGHT_FREE &&
      el(
        "div",
        { class: "advice" },
        el("p", {}, "Not a trained model: it compares spectral shape and movement. For better matches use VGGish, whose weights Google publishes. On the server:"),
        el("ol", {}, el("li", {}, code("soundalike models download")), el("li", {}, "restart the service"), el("li", {}, code("soundalike reindex"))),
      ),
    encoder && configured && encoder !== configured && el("p", { class: "notice" }, icon("warning"), el("span", {}, "The index was made with a different encoder than the service uses now. On the server: ", code("soundalike reindex"))),
    el("p", {}, el("a", { href: at("/docs") }, "Try the API (Swagger UI)")),
  );
}

/** List the models when their part is opened first. */
async function showModels() {
  const place = byId("models");
  if (!byId("models-part").open || place.firstChild) return;
  put(place, loading("Loading …", 1));
  try {
    put(place, el("ul", { class: "models" }, (await request("/api/models")).models.map(modelRow)));
  } catch (error) {
    put(place, failure(error, () => (put(place), showModels())));
  }
}

function modelRow({ name, state, good_for: purpose, licence, attribution, page, status }) {
  const marks = [state, status === "unverified" && "unverified"].filter(Boolean).join(", ");
  // A manifest may name any address, so it is no link.
  const facts = [licence, attribution, page].filter(Boolean).join("; ");
  return el("li", {}, el("strong", {}, name), el("span", { class: "quiet" }, ` ${marks}`), el("p", {}, sentence(purpose)), el("p", { class: "quiet" }, facts));
}

function drawFolders(most) {
  const { folders } = service;
  const all = () => {
    drawFolders(Infinity);
    byId("folders").children[most].querySelector("button").focus();
  };
  const more = folders.length > most && el("li", {}, button(null, `Show all ${count(folders.length, "folder")}`, all));
  put(byId("folders"), ...folders.slice(0, most).map(folderRow), more);
}

function folderRow({ folder, files }) {
  return el(
    "li",
    {},
    el("div", { class: "what" }, el("strong", { title: folder }, shortFolder(folder, 4)), el("span", { class: "quiet" }, count(files, "file"))),
    el(
      "div",
      { class: "row" },
      button(null, "Show", () => showFolder(folder), { label: `Show the recordings of ${folder}` }),
      button("again", "Rescan", () => rescan(folder), { label: `Rescan ${folder}` }),
      button("delete", null, () => removeFolder(folder, files), { label: `Delete ${folder}`, class: "plain" }),
    ),
  );
}

async function showFolder(folder) {
  await list.load({ folder, label: "" });
  byId("recordings-part").scrollIntoView();
}

async function rescan(folder) {
  try {
    await begin({ folder });
  } catch (error) {
    put(byId("library-state"), failure(error, showLibrary));
  }
}

/** Ask before deleting. */
export async function isSure(title, text) {
  const dialog = byId("confirm-dialog");
  byId("confirm-title").textContent = title;
  byId("confirm-text").textContent = text;
  dialog.returnValue = "no";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  return dialog.returnValue === "yes";
}

async function removeRecording(found) {
  const text = `${nameOf(found).name} is removed from the index. The file itself stays, unless it was uploaded.`;
  if (!(await isSure("Delete this recording?", text))) return false;
  await request(`/api/recordings/${encodeURIComponent(found.recording_id)}?${withCollection()}`, { method: "DELETE" });
  await service.refresh();
  draw(byId("library-state"));
  return true;
}

async function removeFolder(folder, files) {
  const text = `${count(files, "file")} in ${folder} and its subfolders are removed from the index. The files themselves stay.`;
  if (!(await isSure("Delete this folder?", text))) return;
  try {
    const parameters = collection() ? { collection: collection() } : {};
    await request("/delete", { json: { data: [{ uri: folder }], parameters } });
    await showLibrary();
  } catch (error) {
    put(byId("library-state"), failure(error, showLibrary));
  }
}

async function begin({ folder, prune = false }) {
  const job = await request("/api/jobs", { json: { folder, prune, ...(collection() && { collection: collection() }) } });
  showJob(job, changed);
  byId("jobs-part").scrollIntoView({ block: "nearest" });
}

function changed() {
  return showLibrary();
}

function under(form, ...children) {
  form.querySelector(".said")?.remove();
  if (children.length) form.append(el("div", { class: "said" }, children));
}

byId("folder-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.currentTarget;
  under(form);
  try {
    await begin({ folder: form.elements.folder.value.trim(), prune: form.elements.prune.checked });
    form.reset();
  } catch (error) {
    under(form, failure(error));
  }
});

/** Choose files to upload. */
export function choose(files) {
  chosen = [...files];
  const size = chosen.reduce((sum, file) => sum + file.size, 0);
  byId("uploads-chosen").textContent = chosen.length ? `${count(chosen.length, "file")}, ${bytes(size)}` : "The server keeps a copy of the files.";
  byId("upload-button").disabled = !chosen.length;
}

byId("uploads").addEventListener("change", (event) => choose(event.target.files));

byId("upload-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.currentTarget;
  const body = new FormData();
  for (const file of chosen) body.append("files", file, file.name);
  if (form.elements.label.value.trim()) body.set("label", form.elements.label.value.trim());
  if (collection()) body.set("collection", collection());
  const bar = el("progress", { max: 1, value: 0, "aria-label": "Uploading" });
  under(form, el("p", { class: "quiet", role: "status" }, "Uploading …"), bar);
  byId("upload-button").disabled = true;
  try {
    const job = await upload("/api/recordings", body, (part) => (bar.value = part));
    form.reset();
    choose([]);
    under(form);
    showJob(job, changed);
  } catch (error) {
    under(form, failure(error));
    byId("upload-button").disabled = false;
  }
});

byId("models-part").addEventListener("toggle", showModels);
