/** Numbers, times and paths as people read them. */

const LONG_S = 60;

/** @returns {string} a place in a recording: `7.5`; like a clock, `2:04`, from one minute on or where it is wanted */
export function place(seconds, { precise = true, asClock = seconds >= LONG_S } = {}) {
  if (!asClock) return seconds.toFixed(precise ? 1 : 0);
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** @returns {string} a stretch: `4.0–8.0 s`, `2:04–2:08` */
export function span(start, end) {
  if (end < LONG_S) return `${place(start)}–${place(end)} s`;
  return `${place(start, { asClock: true })}–${place(end, { asClock: true })}`;
}

/** @returns {string} a stretch with tenths of seconds, also beyond the first minute: `3:12.4–3:14.1` */
export function exactSpan(start, end) {
  if (end < LONG_S) return span(start, end);
  const exact = (seconds) => {
    const tenths = Math.round(10 * seconds);
    return `${place(Math.floor(tenths / 10), { asClock: true })}.${tenths % 10}`;
  };
  return `${exact(start)}–${exact(end)}`;
}

/** @returns {string} how long something is: `10.0 s`, `1:15 min`, `2:00:05 h` */
export function length(seconds) {
  if (seconds < LONG_S) return `${place(seconds)} s`;
  return `${place(seconds)} ${seconds < 3600 ? "min" : "h"}`;
}

/** @returns {string} a number with its noun: `1 file`, `1 200 files` */
export function count(number, noun, nouns = `${noun}s`) {
  const grouped = number.toLocaleString("en").replaceAll(",", "\u202f");
  return `${grouped} ${number === 1 ? noun : nouns}`;
}

/** @returns {string} how many recordings no search can find */
export function unsearchable(number) {
  return `${count(number, "recording")} ${number === 1 ? "has" : "have"} no sound that a search can find`;
}

/** @returns {string} how many recordings should be decoded again */
export function earlierDecoder(number) {
  return `${count(number, "recording was", "recordings were")} decoded by an earlier version, which cut or stretched some files`;
}

/** @returns {string} a size: `3.2 MB` */
export function bytes(number) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (number >= 1000 && unit < units.length - 1) [number, unit] = [number / 1000, unit + 1];
  return `${number.toFixed(unit && number < 100 ? 1 : 0)} ${units[unit]}`;
}

/**
 * Name a stored recording by its file and folder. Uploads are kept under their id; their name is a tag.
 *
 * @param {{uri: string, recording_id: string, tags?: object}} found
 * @returns {{name: string, folder: string}}
 */
export function nameOf({ uri, recording_id: id, tags }) {
  const at = uri.lastIndexOf("/");
  const name = uri.slice(at + 1) || uri;
  if (tags?.filename && name.startsWith(id)) return { name: String(tags.filename), folder: "uploaded" };
  return { name, folder: at > 0 ? uri.slice(0, at) : "" };
}

/** @returns {string} the end of a long folder name, in which folders differ */
export function shortFolder(folder, parts = 3) {
  const names = folder.split("/").filter(Boolean);
  return names.length > parts ? `…/${names.slice(-parts).join("/")}` : folder;
}

/** @returns {string} an ISO time without its T: `2025-05-12 23:32:04 +02:00` */
export function clock(iso) {
  const parts = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d(?::\d\d)?)(?:\.\d+)?(Z|[+-]\d\d:\d\d)?$/.exec(iso);
  if (!parts) return iso;
  const zone = parts[3] === "Z" || parts[3] === "+00:00" ? "UTC" : parts[3] || "";
  return `${parts[1]} ${parts[2]} ${zone}`.trim();
}

/** @returns {string|undefined} the name of this computer's time zone, where the browser tells it */
export function timeZone() {
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return name && name !== "Etc/Unknown" ? name : undefined;
}
