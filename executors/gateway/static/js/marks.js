/** Results that a person has marked right or wrong; they stay in the address, as examples of the next search. */

import { button, el, put } from "./dom.js";
import { address, current, go } from "./route.js";

const KINDS = { y: "like", n: "unlike" };
const NAMES = { like: "right", unlike: "wrong" };

const recordingOf = (mark) => mark.slice(0, mark.lastIndexOf(":"));

/** @returns {string|undefined} `like` or `unlike`, if the recording of a match is marked */
export function markOf(match, params = current().params) {
  return Object.values(KINDS).find((kind) => params.getAll(kind).some((mark) => recordingOf(mark) === match.recording_id));
}

/** The marks of an address, one for each recording. */
export const inAddress = {
  of: (match) => markOf(match),
  count: (kind) => current().params.getAll(kind).length,
  /** Mark a match, or remove the mark if it has the same one. The address changes, the results stay. */
  toggle(match, kind) {
    const { params } = current();
    const had = markOf(match, params);
    for (const name of Object.values(KINDS)) {
      const others = params.getAll(name).filter((mark) => recordingOf(mark) !== match.recording_id);
      params.delete(name);
      for (const mark of others) params.append(name, mark);
    }
    if (had !== kind) params.append(kind, `${match.recording_id}:${match.start_s}-${match.end_s}`);
    history.replaceState(null, "", address("search", params));
  },
};

/** Write the marks of an address into the form of a request. */
export function describe(form, params) {
  for (const kind of Object.values(KINDS)) for (const mark of params.getAll(kind)) form.append(kind, mark);
}

/** Remove all marks from the parameters of an address. */
export function forget(params) {
  for (const kind of Object.values(KINDS)) params.delete(kind);
  return params;
}

/** The buttons that mark results, the keys for the same, and the button that searches again. */
export class Marks {
  /** @param {object} place keeps the marks: `inAddress`, or the marks of a named search */
  constructor(place = inAddress) {
    this.place = place;
    this.buttons = [];
    this.said = el("span", { role: "status" });
    this.again = button("again", place === inAddress ? "Search again with marks" : "Run again", () => go("search", current().params), { class: "primary" });
    this.none = button(null, "Remove marks", () => go("search", forget(current().params)));
    this.element = el("div", { class: "row marks" }, this.said, this.again, this.none);
    this.show();
  }

  /**
   * @param {() => object} shown gives the match, with the begin and end that are marked
   * @param {string} name of its recording
   * @returns {Array<HTMLElement>} the buttons of a match
   */
  buttonsFor(shown, name) {
    return Object.entries(KINDS).map(([key, kind]) => {
      const act = () => this.mark(shown(), kind);
      const text = kind === "like" ? "Right" : "Wrong";
      const made = button(null, text, act, { label: `${text}: ${name}`, "aria-keyshortcuts": key, "data-key": key });
      this.buttons.push({ made, match: shown, kind });
      this.show();
      return made;
    });
  }

  mark(match, kind) {
    const done = this.place.toggle(match, kind);
    this.show();
    done?.then(() => this.show());
  }

  show() {
    for (const { made, match, kind } of this.buttons) made.setAttribute("aria-pressed", String(this.place.of(match()) === kind));
    const counts = Object.entries(NAMES).map(([kind, name]) => `${this.place.count(kind)} ${name}`);
    const isMarked = Object.keys(NAMES).some((kind) => this.place.count(kind));
    const why = this.place === inAddress ? "to search again with them" : "to keep that on the server";
    put(this.said, isMarked ? `Marked: ${counts.join(", ")}` : `Mark results right or wrong, also with the keys Y and N, ${why}.`);
    this.again.hidden = !isMarked;
    this.none.hidden = !isMarked || this.place !== inAddress;
  }

  /** Mark the result that has the focus by its key, and go to the next one. */
  onKey(event) {
    const card = event.target.closest(".match");
    if (!card || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
    const pressed = card.querySelector(`button[data-key="${event.key.toLowerCase()}"]`);
    if (!pressed) return;
    event.preventDefault();
    pressed.click();
    let next = card.nextElementSibling;
    while (next?.hidden) next = next.nextElementSibling;
    (next?.querySelector(".actions button") || this.again).focus();
  }
}
