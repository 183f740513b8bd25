/** The map with its controls, legend, details and list. All texts are set as text, so a file's name is never run. */

import { choices, colouring, REST } from "./colouring.js";
import { LOOK, Plot } from "./plot.js";

/** Rows of the list that are shown at first, and with each step. */
const ROWS = 50;
/** Length of a name in the list and on the map. */
const LONG = 80;

/**
 * @typedef {object} Actions
 * @property {(number: number) => void} [onOpen] called when a point was chosen
 * @property {(number: number) => Node[]} [detailsOf] more for the details of a point
 * @property {(number: number) => Node|null} [pictureOf] its spectrogram
 * @property {(name: string) => void} [onColour] called when another colouring was chosen
 * @property {string} [colour] the first colouring
 */

export class MapView {
  /**
   * @param {HTMLElement} parent
   * @param {object} data the answer of /api/map
   * @param {Actions} actions
   */
  constructor(parent, data, actions = {}) {
    Object.assign(this, { data, actions, hidden: new Set(), found: null, chosen: null, hits: null, rows: ROWS });
    this.build(parent);
    const { x, y } = data.columns;
    this.plot = new Plot(this.canvas, x, y, {
      onHover: (number) => this.hover(number),
      onPick: (number) => this.open(number),
      onCircle: (numbers) => this.choose(numbers),
    });
    const names = choices(data).map(({ name }) => name);
    this.colourBy(names.includes(actions.colour) ? actions.colour : names[0]);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.repaint());
  }

  /** Ring points, as the hits of a search. */
  light(numbers, title) {
    this.hits = numbers.length ? new Set(numbers) : null;
    this.hitsTitle = title;
    this.refresh();
  }

  build(parent) {
    const { data } = this;
    this.colour = make("select", { onchange: () => this.colourBy(this.colour.value, true) }, choices(data).map(({ name, title }) => make("option", { value: name }, title)));
    this.search = make("input", { type: "search", placeholder: "name, label or cluster", spellcheck: "false", oninput: () => this.find() });
    this.circling = make("button", { type: "button", "aria-pressed": "false", onclick: () => this.toggleCircling() }, "Lasso");
    const zoom = (text, label, act) => make("button", { type: "button", "aria-label": label, title: label, onclick: act }, text);
    this.canvas = make("canvas", { class: "map-canvas", tabindex: "0", role: "img", "aria-label": this.description(), "aria-describedby": "map-keys" });
    this.tip = make("div", { class: "map-tip", hidden: true });
    this.details = make("div", { class: "map-details" });
    this.legend = make("ul", { class: "map-legend", "aria-label": "Legend" });
    this.said = make("p", { class: "map-said", role: "status" });
    this.selection = make("div", { class: "map-row" });
    this.list = make("ol", { class: "map-list" });
    this.more = make("div", { class: "map-row" });
    parent.replaceChildren(
      make(
        "div",
        { class: "map-row" },
        make("label", { class: "map-field" }, "Colour by", this.colour),
        make("label", { class: "map-field" }, "Find", this.search),
        this.circling,
        zoom("+", "Zoom in", () => this.plot.zoomBy(1.5)),
        zoom("−", "Zoom out", () => this.plot.zoomBy(1 / 1.5)),
        zoom("Reset", "Show the whole map", () => this.plot.reset()),
      ),
      this.said,
      make(
        "div",
        { class: "map-body" },
        make("div", { class: "map-stage" }, this.canvas, this.tip),
        make("div", { class: "map-side" }, this.details, this.legend),
      ),
      make("p", { class: "map-quiet", id: "map-keys" }, "Drag to move, scroll to zoom, click a point to open it. Keys: arrows, + and −, 0. Near points sound alike; far distances and directions mean little."),
      this.selection,
      make("details", { class: "map-alternative" }, make("summary", {}, "List of the points"), this.list, this.more),
    );
  }

  description() {
    const { count, points, clusters } = this.data;
    const names = clusters.slice(0, 10).map(({ name, size }) => `${name}, ${size}`);
    return `Map of ${count} ${points}. ${names.length ? `Clusters: ${names.join("; ")}.` : "No clusters."} The same points are in the list below.`;
  }

  colourBy(name, isChosen = false) {
    this.colour.value = name;
    this.hidden.clear();
    this.groups = colouring(this.data, name);
    if (isChosen) this.actions.onColour?.(name);
    this.repaint();
    this.refresh();
  }

  repaint() {
    const style = getComputedStyle(this.canvas);
    const colour = (variable) => style.getPropertyValue(variable).trim();
    this.plot.paint({
      palette: this.groups.groups.map((group) => group.colour),
      colours: this.groups.of,
      rest: REST,
      pale: colour("--map-pale"),
      line: colour("--map-line"),
    });
  }

  /** Show the points as search, legend, selection and hits have them. */
  refresh() {
    const { of } = this.groups;
    const looks = new Uint8Array(of.length);
    const lit = this.found || this.chosen;
    for (let number = 0; number < of.length; number += 1) {
      if (this.hidden.has(of[number])) looks[number] = LOOK.hidden;
      else if (this.hits?.has(number)) looks[number] = LOOK.ringed;
      else looks[number] = lit && !lit.has(number) ? LOOK.pale : LOOK.plain;
    }
    this.plot.dress(looks);
    this.looks = looks;
    this.rows = ROWS;
    this.drawLegend();
    this.drawSelection();
    this.drawList();
    this.say();
  }

  say() {
    const { count, total, points, method, notes } = this.data;
    const parts = [`${count} ${points}${count < total ? ` of ${total}` : ""}, laid out by ${METHODS[method] || method}.`];
    if (this.hits) parts.push(`${this.hits.size} ${this.hitsTitle}.`);
    if (this.found) parts.push(`${this.found.size} found.`);
    if (this.chosen) parts.push(`${this.chosen.size} selected.`);
    this.said.replaceChildren(parts.join(" "), ...notes.flatMap((note) => [make("br"), make("span", { class: "map-note" }, `Note: ${note}.`)]));
  }

  drawLegend() {
    this.legend.replaceChildren(
      ...this.groups.groups.flatMap(({ name, count, colour }, place) => {
        if (!count) return [];
        const dot = make("span", { class: "map-dot", "aria-hidden": "true" });
        dot.style.background = colour;
        const toggle = () => {
          if (!this.hidden.delete(place)) this.hidden.add(place);
          this.refresh();
          this.legend.querySelector(`[data-place="${place}"]`)?.focus();
        };
        const properties = { type: "button", "data-place": place, "aria-pressed": String(!this.hidden.has(place)), title: "Show or hide", onclick: toggle };
        return [make("li", {}, make("button", properties, dot, make("bdi", {}, short(name)), make("span", { class: "map-quiet" }, String(count))))];
      }),
    );
  }

  find() {
    const wanted = this.search.value.trim().toLowerCase();
    this.found = null;
    if (wanted) {
      const { uri, label, cluster } = this.data.columns;
      const names = new Map(this.data.clusters.map((one) => [one.cluster, one.name.toLowerCase()]));
      this.found = new Set();
      for (let number = 0; number < uri.length; number += 1) {
        const texts = [uri[number].toLowerCase(), label[number]?.toLowerCase(), names.get(cluster[number])];
        if (texts.some((text) => text?.includes(wanted))) this.found.add(number);
      }
    }
    this.refresh();
  }

  toggleCircling() {
    this.plot.isCircling = !this.plot.isCircling;
    this.circling.setAttribute("aria-pressed", String(this.plot.isCircling));
  }

  choose(numbers) {
    this.chosen = numbers.length ? new Set(numbers) : null;
    if (this.plot.isCircling) this.toggleCircling();
    this.refresh();
  }

  drawSelection() {
    const numbers = this.chosen || this.found;
    if (!numbers) {
      this.selection.replaceChildren();
      return;
    }
    const act = (text, onclick) => make("button", { type: "button", onclick }, text);
    this.selection.replaceChildren(
      make("span", {}, `${numbers.size} ${this.chosen ? "selected" : "found"}:`),
      act("Save as CSV", () => save("map.csv", "text/csv", csv(this.data, numbers))),
      act("Save paths", () => save("map.txt", "text/plain", paths(this.data, numbers))),
      act("Clear", () => {
        this.search.value = "";
        this.chosen = this.found = null;
        this.refresh();
      }),
    );
  }

  /** The same points for keyboards and screen readers. */
  drawList() {
    const numbers = this.listed();
    this.list.replaceChildren(
      ...numbers.slice(0, this.rows).map((number) => {
        const facts = this.facts(number).join(", ");
        const open = make("button", { type: "button", onclick: () => this.open(number), onfocus: () => this.plot.point(number) }, make("bdi", {}, short(nameOf(this.data, number))));
        return make("li", {}, open, make("span", { class: "map-quiet" }, ` ${facts}`));
      }),
    );
    const rest = numbers.length - this.rows;
    const next = () => {
      const first = this.rows;
      this.rows += 4 * ROWS;
      this.drawList();
      this.list.children[first]?.querySelector("button").focus();
    };
    this.more.replaceChildren(...(rest > 0 ? [make("button", { type: "button", onclick: next }, `Show more of ${numbers.length}`)] : []));
  }

  listed() {
    const lit = this.chosen || this.found || this.hits;
    const all = lit ? [...lit] : [...this.data.columns.uri.keys()];
    return all.filter((number) => this.looks[number] !== LOOK.hidden);
  }

  facts(number) {
    const { label, cluster, occurred_at: times, score } = this.data.columns;
    const name = this.data.clusters.find((one) => one.cluster === cluster[number])?.name;
    return [
      label[number] && `label ${short(label[number])}`,
      name ? `cluster ${short(name)}` : "in no cluster",
      times[number]?.replace("T", " ").slice(0, 16),
      score && `anomaly score ${score[number].toFixed(2)}${score[number] > this.data.threshold ? ", anomalous" : ""}`,
    ].filter(Boolean);
  }

  hover(number) {
    if (number === this.hovered) return;
    this.hovered = number;
    this.plot.point(number >= 0 ? number : (this.opened ?? -1));
    this.canvas.classList.toggle("map-over", number >= 0);
    this.tip.hidden = number < 0;
    if (number < 0) return;
    const [left, top] = this.plot.placeOf(number);
    this.tip.replaceChildren(make("bdi", { class: "map-name" }, short(nameOf(this.data, number))), ...this.facts(number).map((fact) => make("span", {}, fact)));
    const picture = this.actions.pictureOf?.(number);
    if (picture) this.tip.append(picture);
    this.tip.style.left = `${Math.max(0, Math.min(left + 14, this.plot.width - this.tip.offsetWidth - 4))}px`;
    this.tip.style.top = `${top + 14 + this.tip.offsetHeight > this.plot.height ? Math.max(0, top - 14 - this.tip.offsetHeight) : top + 14}px`;
  }

  open(number) {
    if (number < 0) return;
    this.opened = number;
    this.plot.point(number);
    this.details.replaceChildren(
      make("h3", {}, make("bdi", {}, nameOf(this.data, number))),
      make("p", { class: "map-path" }, make("bdi", {}, this.data.columns.uri[number])),
      make("p", { class: "map-quiet" }, this.facts(number).join(", ")),
      ...(this.actions.detailsOf?.(number) || []),
    );
    this.actions.onOpen?.(number);
  }
}

const METHODS = { umap: "UMAP", tsne: "t-SNE", pca: "PCA" };

/** @returns {string} the file's name, and for windows the place in it */
export function nameOf({ columns, points }, number) {
  const name = columns.uri[number].split("/").pop() || columns.uri[number];
  return points === "windows" ? `${name}, ${columns.start_s[number].toFixed(1)} to ${columns.end_s[number].toFixed(1)} s` : name;
}

const short = (text) => (text.length > LONG ? `${text.slice(0, LONG - 1)}…` : text);

/** Make an element of texts and other elements; no markup is read. */
export function make(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false) made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.flat());
  return made;
}

function csv({ columns, points, clusters }, numbers) {
  const names = new Map(clusters.map(({ cluster, name }) => [cluster, name]));
  const head = ["uri", "recording_id", "x", "y", "cluster", "label", ...(points === "windows" ? ["start_s", "end_s"] : [])];
  const lines = [[...head, "cluster_name"], ...[...numbers].map((number) => [...head.map((name) => columns[name][number]), names.get(columns.cluster[number])])];
  return `${lines.map((line) => line.map(cell).join(",")).join("\r\n")}\r\n`;
}

/** A text that a spreadsheet would take for a formula begins with an apostrophe. */
function cell(value) {
  if (typeof value === "number") return value;
  const text = /^[=+\-@\t\r]/.test(value ?? "") ? `'${value}` : (value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function paths({ columns }, numbers) {
  const unique = new Set([...numbers].map((number) => columns.uri[number]));
  return [...unique].map((path) => `${path}\n`).join("");
}

function save(name, type, text) {
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
