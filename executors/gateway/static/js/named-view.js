/** Named searches on the page: their list, the form that saves one, and what can be done with the shown one. */

import { describeQuery } from "./asked.js";
import { button, el, put } from "./dom.js";
import { count } from "./format.js";
import { isSure } from "./library.js";
import * as marks from "./marks.js";
import * as named from "./named.js";
import * as options from "./options.js";
import { address, current, go, withCollection } from "./route.js";
import * as service from "./service.js";
import { failure } from "./states.js";

const NAME = "[A-Za-z0-9][A-Za-z0-9._\\-]{0,62}";

/** Put the list of the collection's named searches into an element; nothing where there are none. */
export async function showList(parent) {
  try {
    const searches = await named.list();
    put(parent, searches.length > 0 && el("h3", {}, "Named searches"), searches.length > 0 && el("ul", { class: "folders" }, searches.map((one) => row(one, parent))));
  } catch (error) {
    put(parent, failure(error, () => showList(parent)));
  }
}

function row(found, parent) {
  const { name, query, right, wrong } = found;
  const said = el("div", { role: "status" });
  const facts = [query || found.kind, `${right} right, ${wrong} wrong`].filter(Boolean).join(" · ");
  const drop = async () => {
    if (!(await isSure(`Remove the search ${name}?`, "Its marks are removed, too. Recordings and annotations stay."))) return;
    await named.remove(name).then(() => showList(parent), (error) => put(said, failure(error)));
  };
  return el(
    "li",
    {},
    el("div", { class: "what" }, el("strong", {}, name), el("span", { class: "quiet small" }, facts)),
    el("a", { class: "button", href: address("search", withCollection({ named: name })), "aria-label": `Run ${name}` }, "Run"),
    button("delete", null, drop, { label: `Remove ${name}`, class: "plain" }),
    said,
  );
}

/**
 * Make the form that saves the search of the address.
 *
 * @param {object} sound the query
 * @returns {HTMLElement}
 */
export function saveMenu(sound) {
  const said = el("div", { role: "status" });
  const name = el("input", { name: "name", required: true, maxlength: 63, pattern: NAME, spellcheck: "false", autocomplete: "off" });
  const replaced = el("input", { type: "checkbox" });
  const send = async (event) => {
    event.preventDefault();
    if (!name.checkValidity()) return put(said, el("p", { class: "bad-text small" }, "A name has up to 63 letters, digits, points, dashes and underscores."));
    const { params } = current();
    const form = new FormData();
    describeQuery(form, sound, params);
    options.describe(form, params);
    marks.describe(form, params);
    try {
      await named.save(name.value, form, replaced.checked);
      return go("search", withCollection({ named: name.value }));
    } catch (error) {
      return put(said, failure(error));
    }
  };
  const menu = el(
    "details",
    { class: "saving", onkeydown: (event) => event.key === "Escape" && close(menu) },
    el("summary", { class: "button" }, "Save search"),
    el(
      "form",
      { class: "export-menu save", onsubmit: send, novalidate: true },
      el("label", { class: "field" }, el("span", {}, "Name"), name),
      el("label", { class: "check" }, replaced, el("span", {}, "Replace a search of this name")),
      el("p", { class: "quiet small" }, "The server keeps the query, its options and the marks."),
      el("button", { class: "primary" }, "Save"),
      said,
    ),
  );
  return menu;
}

function close(menu) {
  menu.open = false;
  menu.querySelector("summary").focus();
}

/** @returns {HTMLElement} what a named search was saved with, and how it is run */
export function controls(search, params) {
  const { query, kind, like, unlike, filters } = search.found;
  const said = el("div", { role: "status" });
  const examples = [like.length && count(like.length, "right example"), unlike.length && count(unlike.length, "wrong example")];
  const narrowed = Object.keys(filters).filter((name) => name !== "time_zone").length;
  const facts = [query || kind, ...examples, narrowed && count(narrowed, "filter")].filter(Boolean);
  const choice = (name, text) => {
    const change = (event) => {
      const next = current().params;
      if (event.target.checked) next.set(name, "true");
      else next.delete(name);
      go("search", next);
    };
    return el("label", { class: "check" }, el("input", { type: "checkbox", checked: params.has(name), onchange: change }), el("span", {}, text));
  };
  const undo = async () => {
    try {
      await named.undo(search.name);
      search.found = (await named.open(search.name)).found;
      go("search", current().params);
    } catch (error) {
      put(said, failure(error));
    }
  };
  return el(
    "div",
    { class: "named" },
    el("p", { class: "quiet small" }, facts.join(" · ")),
    choice("unmarked", "Leave out places marked right"),
    choice("use_marks", "Use marks as examples"),
    el("div", { class: "row" }, button("again", "Undo", undo, { label: "Take back the latest mark or annotation" })),
    annotating(search, said),
    said,
  );
}

/** Right places become annotations, which a search by label can use. */
function annotating(search, said) {
  const label = el("input", { maxlength: 200, "aria-label": "Label of the annotations", placeholder: "label" });
  const send = async () => {
    if (!label.value.trim()) {
      label.focus();
      return;
    }
    try {
      const { added, unchanged, missing } = await named.accept(search.name, label.value);
      service.refresh().catch(() => {});
      const others = [unchanged && `${unchanged} there already`, missing && `${missing} in recordings that are not stored`];
      put(said, el("p", { class: "small" }, [`${count(added, "annotation")} added`, ...others].filter(Boolean).join(", ")));
    } catch (error) {
      put(said, failure(error));
    }
  };
  // It stands in the form of the search, which Enter would send.
  const onkeydown = (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    send();
  };
  label.addEventListener("keydown", onkeydown);
  return el("div", { class: "row annotate" }, label, button(null, "Annotate right places", send));
}
