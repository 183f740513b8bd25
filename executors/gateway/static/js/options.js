/** The form's options and filters, to and from the address and the request. */

import { byId, el, put } from "./dom.js";
import { shortFolder, timeZone } from "./format.js";
import { without } from "./route.js";

const form = byId("search-form");
const TEXTS = ["top_k", "uri_prefix", "since", "until", "min_score", "max_false_alarms"];
const FILTERS = ["label", "uri_prefix", "since", "until", "time_of_day", "where", "min_score", "max_false_alarms"];
const MOST_SHOWN = 8;

const field = (name) => form.elements.namedItem(name);
const chosenOf = (id, name) => [...byId(id).querySelectorAll(`input[name=${name}]:checked`)].map((box) => box.value);
const chosenLabels = () => chosenOf("labels", "label");

/** Fill in the form from the address. */
export function fill(params) {
  for (const name of TEXTS) field(name).value = params.get(name) || (name === "top_k" ? "10" : "");
  field("exclude_self").checked = params.has("exclude_self");
  field("where").value = params.getAll("where").join("\n");
  const [from = "", to = ""] = (params.get("time_of_day") || "").split("-");
  field("day_from").value = from;
  field("day_to").value = to;
  const wanted = new Set(params.getAll("label"));
  for (const box of byId("labels").querySelectorAll("input[name=label]")) box.checked = wanted.has(box.value);
  checkAlso(params);
  const active = FILTERS.filter((name) => params.has(name)).length;
  byId("filter-count").textContent = active ? `${active} active` : "";
  if (active) byId("filters").open = true;
}

/** Write the form into parameters of an address, without defaults. */
export function collect(params) {
  for (const name of [...TEXTS, "exclude_self", "label", "time_of_day", "where", "also"]) params.delete(name);
  for (const name of TEXTS) {
    const value = field(name).value.trim();
    if (value && !(name === "top_k" && value === "10")) params.set(name, value);
  }
  if (field("exclude_self").checked) params.set("exclude_self", "true");
  for (const name of chosenOf("also-choices", "also")) params.append("also", name);
  for (const label of chosenLabels()) params.append("label", label);
  for (const line of field("where").value.split("\n")) if (line.trim()) params.append("where", line.trim());
  const [from, to] = [field("day_from").value, field("day_to").value];
  if (from || to) params.set("time_of_day", `${from || "00:00"}-${to || "00:00"}`);
  return params;
}

/** Remove every filter from an address. */
export function withoutFilters(params) {
  return without(params, FILTERS);
}

/** @returns {boolean} whether an address narrows the search */
export const isFiltered = (params) => FILTERS.some((name) => params.has(name));

/** Write an address's options into the form of a request. */
export function describe(request, params) {
  for (const name of [...TEXTS, "exclude_self", "time_of_day"]) {
    if (params.has(name)) request.set(name, params.get(name));
  }
  for (const name of ["label", "where"]) {
    for (const value of params.getAll(name)) request.append(name, value);
  }
  const zone = timeZone();
  if (zone) request.set("time_zone", zone);
}

/** Write the options that events know too into the form of a request. */
export function describeNarrowing(request, params) {
  describe(request, params);
  // Scores of events are others than those of matches.
  for (const name of ["top_k", "min_score", "max_false_alarms"]) request.delete(name);
}

/** Narrow a request to the span of time, or the hours of the day, of a bar of a timeline. */
export function narrowToBar(request, params) {
  if (params.has("span")) {
    const [from, to] = params.get("span").split("/");
    const [since, until] = [params.get("since") || from, params.get("until") || to];
    request.set("since", since > from ? since : from);
    request.set("until", until < to ? until : to);
  }
  // A day's filter keeps the minutes with which it begins and ends.
  if (params.has("hours")) request.set("time_of_day", common(params.get("hours"), params.get("time_of_day")));
}

/** @returns {string} the part of an hour of the day that lies in a filter, too */
function common(hour, filter) {
  const [from, to] = hour.split("-");
  if (!filter) return hour;
  const [first, last] = filter.split("-");
  const isInHour = (time) => time > from && time.slice(0, 2) === from.slice(0, 2);
  return `${isInHour(first) ? first : from}-${isInHour(last) ? last : to}`;
}

/** Offer the labels and folders that are stored. */
export function offer(labels, folders) {
  const chosen = new Set(chosenLabels());
  const list = labels.map(({ label, files }) =>
    el(
      "label",
      { class: "choice" },
      el("input", { type: "checkbox", name: "label", value: label, checked: chosen.has(label) }),
      el("span", {}, label),
      el("span", { class: "quiet" }, files),
    ),
  );
  const narrowing = list.length > MOST_SHOWN && narrow(list);
  put(byId("labels"), narrowing, ...(list.length ? list : [el("p", { class: "quiet small" }, "No labels are stored.")]));
  offerFolders(field("uri_prefix"), folders);
}

/** Offer the other collections, to be searched at the same time. */
export function offerAlso(names, params) {
  const others = names.filter((name) => name !== (params.get("collection") || "default"));
  const box = (name) => el("label", { class: "choice" }, el("input", { type: "checkbox", name: "also", value: name }), el("span", {}, name));
  put(byId("also-choices"), ...others.map(box));
  byId("also").hidden = others.length === 0;
  checkAlso(params);
}

function checkAlso(params) {
  const wanted = new Set(params.getAll("also"));
  for (const box of byId("also-choices").querySelectorAll("input")) box.checked = wanted.has(box.value);
}

/** Offer folders in a select; also the library's. */
export function offerFolders(select, folders) {
  const chosen = select.value;
  const all = el("option", { value: "" }, "all folders");
  // The slash keeps a folder from matching others whose names begin like it.
  const below = folders.map(({ folder, files }) =>
    el("option", { value: folder.endsWith("/") ? folder : `${folder}/`, title: folder }, `${shortFolder(folder)} (${files})`),
  );
  put(select, all, ...below);
  select.value = chosen;
  if (select.selectedIndex < 0) select.selectedIndex = 0;
}

function narrow(list) {
  const type = (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    for (const choice of list) {
      const [box] = choice.getElementsByTagName("input");
      choice.hidden = !box.checked && !box.value.toLowerCase().includes(wanted);
    }
  };
  // Enter would search.
  const keep = (event) => event.key === "Enter" && event.preventDefault();
  return el("input", { type: "search", class: "narrow", placeholder: "filter labels", "aria-label": "Filter labels", oninput: type, onkeydown: keep });
}

const zone = timeZone();
if (zone) byId("zone").textContent = `time zone ${zone.replaceAll("_", " ")}`;
