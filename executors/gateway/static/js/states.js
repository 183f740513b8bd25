/** States of the page: loading, empty, failed. Each says what to do next. */

import { button, el, icon } from "./dom.js";
import { address } from "./route.js";

/** Next steps for some codes, where the gateway's message has none for users of the page. */
const NEXT = {
  "store.index_empty": "Add recordings in the library first.",
  "audio.silent_query": "Choose a sound, or a part of it, that is not silent.",
  "audio.unreadable": "Choose another file in a common audio format.",
  "audio.too_large": "Choose a shorter or smaller file.",
  "audio.not_found": "Check whether it was moved or renamed on the server.",
  "store.not_found": "It may have been deleted; choose another one.",
  "store.model_mismatch": "Rebuild the index on the server: soundalike reindex.",
  "audio.too_little_speech": "Record or choose a longer one.",
  "service.unauthorized": "Enter the server's API key.",
};

/** @returns {HTMLElement} a failure with the next step */
export function failure(error, again) {
  const code = error.code || "page.error";
  const wait = error.retryAfter ? `Try again in ${error.retryAfter} s.` : NEXT[code];
  return el(
    "div",
    { class: "notice bad", role: "alert", "data-code": code },
    icon("warning"),
    el(
      "div",
      {},
      el("p", {}, sentence(error.detail || error.message)),
      wait && el("p", {}, wait),
      el("p", { class: "quiet small" }, `Code: ${code}`),
      el(
        "div",
        { class: "row" },
        again && button("again", "Try again", again),
        code === "store.index_empty" && el("a", { class: "button", href: address("library") }, "Open the library"),
      ),
    ),
  );
}

/** @returns {HTMLElement} an empty state with the reason and the next step */
export function empty(title, text, ...actions) {
  return el(
    "div",
    { class: "empty" },
    el("h2", {}, title),
    el("p", {}, text),
    actions.length > 0 && el("div", { class: "row" }, actions),
  );
}

/** @returns {HTMLElement} a placeholder while loading */
export function loading(text, rows = 3) {
  return el(
    "div",
    { class: "waiting" },
    el("p", { class: "quiet" }, text),
    Array.from({ length: rows }, () => el("div", { class: "outline", "aria-hidden": "true" })),
  );
}

/** @returns {HTMLElement} a notice */
export function notice(...children) {
  return el("div", { class: "notice" }, icon("warning"), el("div", {}, children));
}

/** @returns {string} text with a capital letter first and a full stop last */
export function sentence(text) {
  const whole = text.trim();
  const first = whole.charAt(0).toUpperCase() + whole.slice(1);
  return /[.!?…]$/.test(first) ? first : `${first}.`;
}
