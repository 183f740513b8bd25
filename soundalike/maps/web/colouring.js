/** Colours of points: by groups of a label, tag or cluster, or by ranges of a number or time. */

/** Of groups, by size; the rest is grey. They differ in lightness too, and are seen on light and dark grounds. */
const GROUPS = ["#3b82c4", "#e07b39", "#3f9c6c", "#c9508f", "#8a6fd1", "#b8962e", "#2aa5a5", "#d4574e", "#7d8a3c", "#a66a4f", "#5f7fb0", "#b86fc6"];
/** Of ranges, from low to high. */
const RANGES = ["#4b4a9c", "#3f6fb0", "#2f93a8", "#3fb08a", "#7cc463", "#c9c63f", "#e8a33a", "#e2694a"];
export const REST = "#8a929b";
const NONE = "none";
const HOUR_S = 3;

/**
 * @param {object} data the map
 * @returns {{name: string, title: string}[]} what points can be coloured by
 */
export function choices({ columns, tags }) {
  const has = (name) => columns[name]?.some((value) => value !== null);
  return [
    columns.cluster.some((cluster) => cluster >= 0) && { name: "cluster", title: "cluster" },
    has("label") && { name: "label", title: "label" },
    has("occurred_at") && { name: "hour", title: "time of day" },
    has("occurred_at") && { name: "date", title: "date" },
    { name: "duration", title: "length of the recording" },
    columns.score && { name: "score", title: "anomaly score" },
    ...Object.keys(tags).map((key) => ({ name: `tag ${key}`, title: `tag ${key}` })),
  ].filter(Boolean);
}

/**
 * @param {object} data the map
 * @param {string} name of a choice
 * @returns {{groups: {name: string, count: number, colour: string}[], of: Uint16Array}} groups, and that of each point
 */
export function colouring(data, name) {
  const { columns, tags, clusters, threshold } = data;
  if (name === "cluster") {
    const names = new Map(clusters.map(({ cluster, name: title }) => [cluster, title]));
    return bySize(columns.cluster.map((cluster) => names.get(cluster) ?? null), "in no cluster");
  }
  if (name === "label") return bySize(columns.label, "without label");
  if (name.startsWith("tag ")) return bySize(tags[name.slice(4)] || columns.uri.map(() => null), "without this tag");
  if (name === "hour") return byHour(columns.occurred_at);
  if (name === "date") return byRange(columns.occurred_at.map((time) => time && Date.parse(time)), (value) => new Date(value).toISOString().slice(0, 10), "time unknown");
  if (name === "score" && threshold > 0) return byScore(columns.score, threshold);
  if (name === "score") return byRange(columns.score, (value) => value.toPrecision(3), NONE);
  return byRange(columns.duration_s.map((value) => Math.log(Math.max(value, 1e-3))), (value) => seconds(Math.exp(value)), NONE);
}

function bySize(values, without) {
  const counts = new Map();
  for (const value of values) if (value !== null) counts.set(value, (counts.get(value) || 0) + 1);
  const sorted = [...counts].sort((one, other) => other[1] - one[1] || String(one[0]).localeCompare(String(other[0])));
  const shown = sorted.slice(0, GROUPS.length);
  const places = new Map(shown.map(([value], place) => [value, place]));
  const groups = shown.map(([value, count], place) => ({ name: String(value), count, colour: GROUPS[place] }));
  const more = sorted.length - shown.length;
  groups.push({ name: `${more} others`, count: 0, colour: REST }, { name: without, count: 0, colour: REST });
  const of = Uint16Array.from(values, (value) => (value === null ? groups.length - 1 : (places.get(value) ?? groups.length - 2)));
  return counted(groups, of);
}

function byHour(times) {
  const names = Array.from({ length: 24 / HOUR_S }, (_, place) => `${pad(place * HOUR_S)}:00 to ${pad((place + 1) * HOUR_S)}:00`);
  const of = times.map((time) => (time === null ? null : Math.floor(Number(time.slice(11, 13)) / HOUR_S)));
  return ranged(of, names, "time unknown");
}

function byRange(values, show, without) {
  const known = values.filter((value) => value !== null);
  const [low, high] = known.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [Infinity, -Infinity]);
  const count = high > low ? RANGES.length : 1;
  const step = (high - low) / count || 1;
  const names = Array.from({ length: count }, (_, place) => `${show(low + place * step)} to ${show(low + (place + 1) * step)}`);
  const of = values.map((value) => (value === null ? null : Math.min(count - 1, Math.floor((value - low) / step))));
  return ranged(of, count === 1 && known.length ? [show(low)] : names, without);
}

function byScore(scores, threshold) {
  const edges = [0.5, 0.75, 0.9, 1, 1.25, 1.5, 2].map((factor) => factor * threshold);
  const show = (value) => value.toPrecision(3);
  const names = [`below ${show(edges[0])}`, ...edges.slice(1).map((edge, place) => `${show(edges[place])} to ${show(edge)}${edges[place] >= threshold ? ", anomalous" : ""}`), `above ${show(edges.at(-1))}, anomalous`];
  return ranged(scores.map((score) => edges.filter((edge) => score > edge).length), names, NONE);
}

function ranged(of, names, without) {
  const groups = names.map((name, place) => ({ name, count: 0, colour: RANGES[Math.round((place * (RANGES.length - 1)) / Math.max(1, names.length - 1))] }));
  groups.push({ name: without, count: 0, colour: REST });
  return counted(groups, Uint16Array.from(of, (place) => place ?? groups.length - 1));
}

function counted(groups, of) {
  for (const group of groups) group.count = 0;
  for (const place of of) groups[place].count += 1;
  return { groups, of };
}

const pad = (number) => String(number).padStart(2, "0");
const seconds = (value) => (value < 90 ? `${Number(value.toPrecision(2))} s` : value < 5400 ? `${(value / 60).toFixed(0)} min` : `${(value / 3600).toFixed(1)} h`);
