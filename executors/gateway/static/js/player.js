/** One player for the whole page: it plays a part of a sound and stops at the part's end. */

import { byId } from "./dom.js";
import { span } from "./format.js";

const audio = byId("player");
const bar = byId("player-bar");
const watchers = new Set();
let now = null;

/**
 * Play a part of a sound, or stop it where it is playing already.
 *
 * @param {StoredSound|FileSound} sound
 * @param {number} start seconds
 * @param {number} end seconds
 * @param {object} [more]
 * @param {Function} [more.onEnd] called when the end was reached, not when it was stopped
 * @param {(text: string) => void} [more.onFail]
 */
export async function play(sound, start, end, { onEnd, onFail } = {}) {
  if (isPlaying(sound, start, end)) return stop();
  release();
  const mine = { sound, start, end, onEnd, onFail, offset: 0, url: null, cut: false, finished: false };
  now = mine;
  try {
    await load(mine, await sound.audio(start, end));
  } catch (error) {
    if (now === mine) await fail(mine, error);
  }
  return undefined;
}

/** Stop, and leave the player where it is. */
export function stop() {
  audio.pause();
}

/** @returns {boolean} whether this part is being played */
export function isPlaying(sound, start, end) {
  return Boolean(now) && !audio.paused && now.sound === sound && now.start === start && now.end === end;
}

/**
 * Watch the player.
 *
 * @param {(playing: {sound: object, start: number, end: number, at: number}|null) => void} watcher
 * @returns {Function} ends it
 */
export function watch(watcher) {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

async function load(mine, { url, offset }) {
  if (now !== mine) return drop(url);
  Object.assign(mine, { url, offset });
  bar.hidden = false;
  document.body.classList.add("with-player");
  byId("player-title").textContent = `${mine.sound.name}, ${span(mine.start, mine.end)}`;
  audio.src = url;
  audio.currentTime = mine.start - offset;
  await audio.play();
  return requestAnimationFrame(follow);
}

/** Where a browser cannot play a format, play the part as WAV. */
async function fail(mine, error) {
  // Another part was asked for meanwhile.
  if (error.name === "AbortError") return;
  if (!mine.cut && mine.sound.cutOut && error.name === "NotSupportedError") {
    mine.cut = true;
    drop(mine.url);
    try {
      await load(mine, await mine.sound.cutOut(mine.start, mine.end));
      return;
    } catch (second) {
      error = second;
    }
  }
  close();
  mine.onFail?.(
    error.name === "NotSupportedError"
      ? `This browser cannot play ${mine.sound.name}, but can search with it.`
      : `${mine.sound.name} cannot be played: ${error.detail || error.message}`,
  );
}

function follow() {
  if (!now || audio.paused) return;
  const at = audio.currentTime + now.offset;
  if (at >= now.end && !now.finished) {
    audio.pause();
    finish();
    return;
  }
  tell();
  requestAnimationFrame(follow);
}

/** Stop at the end once: the controls can play on from there. */
function finish() {
  if (!now || now.finished) return;
  now.finished = true;
  now.onEnd?.();
}

function tell() {
  const playing = now && !audio.paused && !audio.ended;
  const told = playing ? { ...now, at: audio.currentTime + now.offset } : null;
  for (const watcher of watchers) watcher(told);
}

function release() {
  audio.pause();
  if (now) drop(now.url);
  now = null;
}

function drop(url) {
  if (url?.startsWith("blob:")) URL.revokeObjectURL(url);
}

function close() {
  release();
  audio.removeAttribute("src");
  bar.hidden = true;
  document.body.classList.remove("with-player");
  tell();
}

audio.addEventListener("play", () => requestAnimationFrame(follow));
audio.addEventListener("ended", finish);
for (const event of ["play", "pause", "ended"]) audio.addEventListener(event, tell);
byId("player-close").addEventListener("click", close);
