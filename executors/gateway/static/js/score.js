/** The meaning of scores: the false-alarm rate, which holds for every encoder. */

export const WEIGHT_FREE = "logmel-modulation";

/** Rates are shown as "1 in N" up to this one. */
const RARE = 0.2;

/** @returns {string} how strong a match is, in one word; empty where the rate is unknown */
export const meaning = (match) => (match.strength === "unknown" ? "" : match.strength);

/** @returns {string} how many unrelated recordings score as high as a match; empty where that is unknown */
export function frequency({ false_alarm_rate: rate }) {
  if (rate === null || rate === undefined) return "";
  if (rate > RARE) return `${Math.round(100 * rate)} % of unrelated recordings score this high`;
  return `1 in ${rounded(1 / rate)} unrelated recordings scores this high`;
}

/** @returns {string} the highest false-alarm rate of what a threshold leaves */
export function upTo(rate) {
  if (rate === Infinity) return "Any false-alarm rate";
  return `False alarms up to ${rate > RARE ? `${Math.round(100 * rate)} in 100` : `1 in ${rounded(1 / rate)}`}`;
}

/** @returns {boolean} whether unrelated recordings often score as high as the best match */
export const isPoor = (best) => best.strength === "chance";

/** How to read scores. */
export const EXPLANATION =
  "The score is the cosine similarity of the two most similar windows: 1 is the same audio. How high unrelated " +
  "recordings of this collection score is measured: a match is strong if at most 1 in 1,000 of them scores as high, " +
  "likely if 1 in 100, weak if 1 in 10, and otherwise chance. For texts and below 20 recordings this is unknown.";

function rounded(number) {
  const digits = Math.max(0, Math.floor(Math.log10(number)) - 1);
  return (Math.round(number / 10 ** digits) * 10 ** digits).toLocaleString("en");
}
