/** Requests to the gateway: problems as errors, and the API key where the gateway wants one. */

import { byId } from "./dom.js";

const KEY = "soundalike-api-key";
/** The page's own folder: a proxy may have put a prefix before all paths. */
const ROOT = new URL("../../", import.meta.url).pathname;
let asking = null;

/** A failed request, with the gateway's code and message. */
export class Problem extends Error {
  /** @param {{status?: number, code?: string, detail?: string, retryAfter?: number}} said */
  constructor({ status = 0, code = "page.error", detail = "Something went wrong", retryAfter = 0 }) {
    super(detail);
    Object.assign(this, { status, code, detail, retryAfter });
  }
}

/**
 * @param {string} path as the gateway knows it, like `/api/jobs`
 * @returns {string} the same below the prefix
 */
export const at = (path) => ROOT + path.slice(1);

/** @returns {boolean} whether requests carry a key; then audio and images cannot be plain addresses */
export const hasKey = () => Boolean(sessionStorage.getItem(KEY));

/**
 * Ask the gateway.
 *
 * @param {string} path
 * @param {object} [options]
 * @param {string} [options.method]
 * @param {object} [options.json] becomes the body
 * @param {FormData} [options.form] becomes the body
 * @param {AbortSignal} [options.signal]
 * @param {"json"|"blob"} [options.as]
 * @returns {Promise<any>}
 * @throws {Problem} the gateway refuses, or does not answer
 */
export async function request(path, { method, json, form, signal, as = "json" } = {}) {
  const key = sessionStorage.getItem(KEY);
  const headers = key ? { "X-API-Key": key } : {};
  if (json) headers["Content-Type"] = "application/json";
  const body = json ? JSON.stringify(json) : form;
  let answer;
  try {
    answer = await fetch(at(path), { method: method || (body ? "POST" : "GET"), headers, body, signal });
  } catch (error) {
    throw error.name === "AbortError" ? error : unreachable();
  }
  if (answer.status === 401 && (await newKey(key))) {
    return request(path, { method, json, form, signal, as });
  }
  if (!answer.ok) throw await problemOf(answer);
  return answer.status === 204 ? null : answer[as]();
}

/**
 * Send files, and report the progress.
 *
 * @param {string} path
 * @param {FormData} form
 * @param {(part: number) => void} onProgress part of 1 that was sent
 * @returns {Promise<any>} the answer's JSON
 */
export async function upload(path, form, onProgress) {
  const key = sessionStorage.getItem(KEY);
  const sender = new XMLHttpRequest();
  sender.open("POST", at(path));
  if (key) sender.setRequestHeader("X-API-Key", key);
  sender.upload.addEventListener("progress", (event) => onProgress(event.loaded / (event.total || 1)));
  const done = new Promise((resolve, reject) => {
    sender.addEventListener("load", resolve);
    sender.addEventListener("error", () => reject(unreachable()));
  });
  sender.send(form);
  await done;
  if (sender.status === 401 && (await newKey(key))) return upload(path, form, onProgress);
  const answer = new Response(sender.responseText, {
    status: sender.status,
    headers: { "Retry-After": sender.getResponseHeader("Retry-After") || "0" },
  });
  if (!answer.ok) throw await problemOf(answer);
  return answer.json();
}

function unreachable() {
  return new Problem({
    code: "service.unavailable",
    detail: "The server does not answer. Check that it is running (soundalike serve), then try again.",
  });
}

async function problemOf(answer) {
  const said = await answer.json().catch(() => ({}));
  return new Problem({
    status: answer.status,
    code: said.code || `http.${answer.status}`,
    detail: said.detail || said.title || answer.statusText,
    retryAfter: Number(answer.headers.get("Retry-After")) || 0,
  });
}

/** Ask for a key, once for all requests that wait for it. Resolves to whether there is another one now. */
async function newKey(refused) {
  if (sessionStorage.getItem(KEY) !== refused) return hasKey();
  asking ??= askForKey(refused).finally(() => (asking = null));
  return asking;
}

function askForKey(refused) {
  const [dialog, field] = [byId("key-dialog"), byId("key")];
  byId("key-text").textContent = refused
    ? "The server does not accept this key. Check it and enter it again."
    : "This server requires an API key.";
  field.value = "";
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => {
        const given = dialog.returnValue === "yes" && field.value.trim();
        field.value = "";
        if (given) sessionStorage.setItem(KEY, given);
        resolve(Boolean(given));
      },
      { once: true },
    );
  });
}

// A button that submits would be the one that Enter presses.
byId("key-no").addEventListener("click", () => byId("key-dialog").close("no"));
