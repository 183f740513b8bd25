/** The meaning of scores, for encoders where it was measured. */

/**
 * Lower limits and words, best first. Measured on ESC-10: eight in ten pairs of clips of one kind lie between
 * 0.24 and 0.71, eight in ten pairs of different kinds between -0.14 and 0.39.
 */
const SCALES = {
  "logmel-modulation": [
    [0.95, "nearly identical"],
    [0.71, "very similar"],
    [0.39, "similar"],
    [0.24, "possibly similar"],
    [-1, "hardly similar"],
  ],
};

export const WEIGHT_FREE = "logmel-modulation";

/** @returns {string} a few words for a score; empty where the encoder's scores were not measured */
export function meaning(score, encoder) {
  const step = (SCALES[encoder] || []).find(([lowest]) => score >= lowest);
  return step ? step[1] : "";
}

/** @returns {boolean} whether this best score is typical of unrelated sounds */
export function isPoor(score, encoder) {
  const scale = SCALES[encoder];
  return Boolean(scale) && score < scale.at(-2)[0];
}

/** @returns {string} how to read the scores of an encoder */
export function explanation(encoder) {
  const always = "The score is the cosine similarity of the two most similar windows: 1 is the same audio.";
  if (encoder === WEIGHT_FREE) {
    return `${always} Of clips of one kind, eight in ten pairs lie between 0.24 and 0.71; of different kinds, between -0.14 and 0.39.`;
  }
  return `${always} Compare scores of ${encoder || "one encoder"} only with each other.`;
}
