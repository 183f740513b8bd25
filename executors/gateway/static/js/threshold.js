/** The threshold of results: a slider of the false-alarm rate, or of the score where the rate is unknown. */

import { el } from "./dom.js";
import { count } from "./format.js";

/** Positions of the slider for each factor of ten of the rate. */
const PER_DECADE = 10;
const LEAST_RATE = 1e-9;

const rateOf = (item) => item.false_alarm_rate;
const isKnown = (item) => rateOf(item) !== null && rateOf(item) !== undefined;

/** A slider with the number of results that it leaves. */
export class Threshold {
  /**
   * @param {object} given
   * @param {object[]} given.items matches or events
   * @param {string} given.noun of one
   * @param {string} [given.nouns]
   * @param {number} given.lowest score of the slider
   * @param {(rate: number) => string} given.describe a rate in words
   * @param {URLSearchParams} given.params of the address, with `rate` or `score`
   * @param {Function} given.onChange
   * @param {(text: string) => void} given.say the slider was let go
   */
  constructor({ items, noun, nouns = `${noun}s`, lowest, describe, params, onChange, say }) {
    Object.assign(this, { items, noun, nouns, lowest, describe });
    this.hasRates = items.some(isKnown);
    this.label = el("label", { for: `threshold-${noun}` });
    const range = this.hasRates ? this.rates(params) : this.scores(params);
    this.slider = el("input", { type: "range", id: `threshold-${noun}`, ...range });
    this.slider.addEventListener("input", () => this.soon(onChange));
    this.slider.addEventListener("change", () => requestAnimationFrame(() => say(this.label.textContent)));
    this.element = el("div", { class: "threshold" }, this.label, this.slider);
    this.read();
  }

  /** A slider can move several times in a frame. */
  soon(onChange) {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.read();
      onChange();
    });
  }

  scores(params) {
    const given = Number(params.get("score"));
    return { min: this.lowest, max: 1, step: 0.01, value: Math.max(this.lowest, Math.min(1, given || this.lowest)) };
  }

  /** On the right end every result is left. */
  rates(params) {
    const known = this.items.filter(isKnown).map((item) => Math.max(LEAST_RATE, rateOf(item)));
    const exponents = known.reduce(([low, high], rate) => [Math.min(low, Math.log10(rate)), Math.max(high, Math.log10(rate))], [Infinity, -Infinity]);
    const min = Math.floor(PER_DECADE * exponents[0]);
    this.end = Math.ceil(PER_DECADE * exponents[1]) + 1;
    const given = Number(params.get("rate"));
    const value = given > 0 ? Math.round(PER_DECADE * Math.log10(given)) : this.end;
    return { min, max: this.end, step: 1, value: Math.max(min, Math.min(this.end, value)) };
  }

  read() {
    const value = Number(this.slider.value);
    this.rate = this.hasRates && value < this.end ? rounded(10 ** (value / PER_DECADE)) : Infinity;
    this.least = this.hasRates ? this.lowest : value;
  }

  /** @returns {boolean} whether a result is left */
  keeps(item) {
    if (!this.hasRates) return item.score >= this.least;
    return this.rate === Infinity || (isKnown(item) && rateOf(item) <= this.rate);
  }

  /** @returns {object} parameters of the address */
  get kept() {
    if (!this.hasRates) return { score: this.least.toFixed(2) };
    return { rate: this.rate === Infinity ? null : String(this.rate) };
  }

  /** Say how many results are left. */
  tell(left) {
    const limit = this.hasRates ? this.describe(this.rate) : `Score ${this.least.toFixed(2)} or more`;
    const text = `${limit}: ${count(left, "", "").trim()} of ${count(this.items.length, this.noun, this.nouns)}`;
    this.label.textContent = text;
    this.slider.setAttribute("aria-valuetext", text);
  }
}

/** Two digits are enough, and short in the address. */
function rounded(rate) {
  return Number(rate.toPrecision(2));
}
