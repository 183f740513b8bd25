/** Brings the parts of the page together. */

import { keyOf } from "./asked.js";
import { byId, el, put } from "./dom.js";
import { showDuplicates } from "./duplicates.js";
import { leaveEvents, showEvents } from "./events.js";
import { choose, showLibrary } from "./library.js";
import { showMotifs } from "./motifs.js";
import { showNormal, takeRecording } from "./normal.js";
import { showMap } from "./map.js";
import * as options from "./options.js";
import { forgetOld, keep } from "./query-files.js";
import { setUpRecorder } from "./recorder.js";
import { RecordingList } from "./recordings.js";
import { address, current, go, watch, withCollection } from "./route.js";
import { look, showSearch } from "./search.js";
import * as service from "./service.js";
import { showSpeakers, take } from "./speakers.js";
import { failure } from "./states.js";
import { leaveTimeline, showTimeline } from "./timeline.js";

const TITLES = { search: "Soundalike", events: "Occurrences · Soundalike", timeline: "Over time · Soundalike", library: "Library · Soundalike", speakers: "Speakers · Soundalike", normal: "Anomalies · Soundalike", map: "Map · Soundalike", duplicates: "Copies · Soundalike", motifs: "Motifs · Soundalike" };
/** Views that need neither labels nor folders. */
const OTHERS = { events: showEvents, timeline: showTimeline, speakers: showSpeakers, normal: showNormal };
let known = null;
let collectionNames = [];
let shownView = null;

async function show({ view, params }) {
  for (const name of Object.keys(TITLES)) byId(`${name}-view`).hidden = view !== name;
  document.title = TITLES[view];
  // Steps back can lead to another collection.
  byId("collection").value = params.get("collection") || "default";
  for (const name of Object.keys(TITLES)) {
    const link = byId(`to-${name}`);
    // Events and timelines are reached from results.
    if (!link) continue;
    link.toggleAttribute("aria-current", false);
    if (name === view) link.setAttribute("aria-current", "page");
    link.href = address(name, withCollection());
  }
  // Keyboard users go on from the new view, not from the link.
  if (shownView && shownView !== view) byId("content").focus({ preventScroll: true });
  shownView = view;
  leaveEvents(view);
  leaveTimeline(view);
  if (view in OTHERS) {
    await OTHERS[view](params);
    return;
  }
  if (view === "map") {
    await showMap(params);
    return;
  }
  if (view === "duplicates") return showDuplicates();
  if (view === "motifs") return showMotifs();
  const name = params.get("collection") || "";
  const isNew = known !== name;
  known = name;
  if (view === "library") {
    await showLibrary();
    return;
  }
  const searching = showSearch(params);
  if (isNew) {
    options.offerAlso(collectionNames, params);
    await learn();
  }
  await searching;
}

/** Load the labels and folders of the collection. */
async function learn() {
  try {
    await service.refresh();
    offer();
    if (isIdle()) await showSearch(current().params);
  } catch (error) {
    if (isIdle()) put(byId("results"), failure(error, learn));
  }
}

/** Whether there is no query. */
function isIdle() {
  const { view, params } = current();
  return view === "search" && keyOf(params) === null;
}

function offer() {
  options.offer(service.labels, service.folders);
  options.fill(current().params);
  picker.offer(service.labels, service.folders);
}

async function offerCollections() {
  const found = await service.collections().catch(() => []);
  const { params } = current();
  const names = new Set([...found.map(({ name }) => name), params.get("collection"), ...params.getAll("also")].filter(Boolean));
  const chosen = current().params.get("collection") || "default";
  names.add("default");
  put(byId("collection"), ...[...names].map((name) => el("option", { value: name }, name)));
  byId("collection").value = chosen;
  byId("collection-choice").hidden = names.size < 2;
  collectionNames = [...names];
  options.offerAlso(collectionNames, params);
}

function lookFor(file) {
  look({ file: keep(file) });
}

/** Take files that are dropped, over this element or, for a query, anywhere. */
function setUpDrop(area, onFiles) {
  let depth = 0;
  const mark = (change) => {
    depth = Math.max(0, depth + change);
    area.classList.toggle("over", depth > 0);
  };
  area.addEventListener("dragenter", () => mark(1));
  area.addEventListener("dragleave", () => mark(-1));
  area.addEventListener("drop", (event) => {
    mark(-depth);
    if (event.dataTransfer.files.length) onFiles(event.dataTransfer.files);
  });
}

const picker = new RecordingList(byId("pick-list"), {
  use: "Use",
  onUse: (found) => {
    byId("pick-dialog").close();
    look({ recording: found.recording_id, exclude_self: "true" });
  },
});

function pick(label) {
  byId("pick-dialog").showModal();
  return picker.load({ label });
}

for (const event of ["dragover", "drop"]) addEventListener(event, (dragged) => dragged.preventDefault());
setUpDrop(byId("search-view"), ([file]) => lookFor(file));
setUpDrop(byId("library-view"), choose);
setUpDrop(byId("speakers-view"), take);
setUpDrop(byId("normal-view"), takeRecording);
setUpRecorder(byId("record"), byId("recording-state"), lookFor);
byId("file").addEventListener("change", (event) => {
  const [file] = event.target.files;
  event.target.value = "";
  if (file) lookFor(file);
});
byId("pick").addEventListener("click", () => pick(""));
byId("pick-close").addEventListener("click", () => byId("pick-dialog").close());
addEventListener("pick", (event) => pick(event.detail));
addEventListener("library-changed", () => {
  offer();
  offerCollections();
});
byId("collection").addEventListener("change", (event) => {
  const params = new URLSearchParams();
  if (event.target.value !== "default") params.set("collection", event.target.value);
  go(current().view, params);
});

watch(show);
show(current());
offerCollections();
forgetOld();
