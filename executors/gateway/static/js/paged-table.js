/** A table that shows some rows at a time: screen readers read it, and thousands of rows would be slow. */

import { button, el, put } from "./dom.js";
import { count } from "./format.js";

const ROWS = 25;

/** The table. */
export class PagedTable {
  /**
   * @param {object} options
   * @param {Array<HTMLElement>} options.head cells of the header
   * @param {string} options.noun of an item
   * @param {(item: object) => object} options.row makes a row: `made` is its element
   * @param {(item: object, row: object, isChosen: boolean) => void} [options.onMark] called when marks may have changed
   */
  constructor({ head, noun, row, onMark = () => {} }) {
    Object.assign(this, { noun, row, onMark });
    [this.items, this.chosen, this.begin, this.rows] = [[], null, 0, new Map()];
    this.caption = el("caption", {});
    this.body = el("tbody", {});
    const table = el("table", { class: "event-table" }, this.caption, el("thead", {}, el("tr", {}, head)), this.body);
    this.earlier = button(null, "Earlier rows", () => this.turn(-ROWS));
    this.later = button(null, "Later rows", () => this.turn(ROWS));
    this.element = el("div", {}, table, el("div", { class: "row" }, this.earlier, this.later));
  }

  /** Show these items, with the page of the chosen one. */
  show(items, chosen) {
    const isSame = items === this.items;
    Object.assign(this, { items, chosen });
    const at = chosen ? items.indexOf(chosen) : -1;
    const begin = at < 0 ? Math.min(this.begin, lastPage(items.length)) : at - (at % ROWS);
    if (isSame && begin === this.begin) this.mark();
    else this.fill(begin);
  }

  turn(by) {
    this.fill(Math.max(0, Math.min(this.begin + by, lastPage(this.items.length))));
  }

  fill(begin) {
    this.begin = begin;
    const some = this.items.slice(begin, begin + ROWS);
    this.caption.textContent = some.length ? `${begin + 1} to ${begin + some.length} of ${count(this.items.length, this.noun)}` : `No ${this.noun}s`;
    this.rows = new Map(some.map((item) => [item, this.row(item)]));
    put(this.body, ...[...this.rows.values()].map(({ made }) => made));
    this.earlier.disabled = begin === 0;
    this.later.disabled = begin + ROWS >= this.items.length;
    this.earlier.hidden = this.later.hidden = this.items.length <= ROWS;
    this.mark();
  }

  /** Mark the chosen item. */
  mark() {
    for (const [item, row] of this.rows) {
      const isChosen = item === this.chosen;
      if (isChosen) row.made.setAttribute("aria-current", "true");
      else row.made.removeAttribute("aria-current");
      this.onMark(item, row, isChosen);
    }
  }
}

const lastPage = (length) => Math.max(0, length - 1 - ((length - 1) % ROWS));
