/** The state of the page in its address, so that reload, back and bookmarks work: `#/search?recording=…`. */

const VIEWS = ["search", "events", "timeline", "library", "speakers", "normal", "map", "duplicates", "motifs"];

/** @returns {{view: string, params: URLSearchParams}} view and parameters of the address */
export function current() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  return { view: VIEWS.includes(path) ? path : "search", params: new URLSearchParams(query) };
}

/** @returns {string} the address of a view */
export function address(view, params = new URLSearchParams()) {
  const query = params.toString();
  return `#/${view}${query ? `?${query}` : ""}`;
}

/** Go to a view; going to the current view repeats it. */
export function go(view, params) {
  const next = address(view, params);
  if (location.hash === next) window.dispatchEvent(new HashChangeEvent("hashchange"));
  else location.hash = next;
}

/** Change parameters of the address in place: a reload finds them, and Back does not. */
export function keep(changes) {
  const { view, params } = current();
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) params.delete(name);
    else params.set(name, value);
  }
  history.replaceState(history.state, "", address(view, params));
}

/** @returns {URLSearchParams} a copy of parameters without these names */
export function without(params, names) {
  const others = new URLSearchParams(params);
  for (const name of names) others.delete(name);
  return others;
}

/** Call this function with each new address. */
export function watch(onChange) {
  window.addEventListener("hashchange", () => onChange(current()));
}

/** @returns {string} the chosen collection; empty is the default one */
export const collection = () => current().params.get("collection") || "";

/** @returns {URLSearchParams} the defined parameters, and the chosen collection */
export function withCollection(others = {}) {
  const params = new URLSearchParams(Object.entries(others).filter(([, value]) => value !== undefined));
  if (collection()) params.set("collection", collection());
  return params;
}
