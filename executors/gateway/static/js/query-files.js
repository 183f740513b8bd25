/** Query files, kept in this browser for a day, so that reload and back find them again. */

const STORE = "queries";
const DAY_MS = 24 * 3600 * 1000;
const inMemory = new Map();

function open() {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open("soundalike", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
}

async function within(mode, act) {
  const database = await open();
  try {
    const change = database.transaction(STORE, mode);
    const asked = act(change.objectStore(STORE));
    return await new Promise((resolve, reject) => {
      change.oncomplete = () => resolve(asked.result);
      change.onerror = change.onabort = () => reject(change.error);
    });
  } finally {
    database.close();
  }
}

/** @returns {string} a name under which `recall` finds the file */
export function keep(file) {
  // The time comes first, so that the names are in order of age.
  const name = `${Date.now()}-${Math.floor(Math.random() * 1e9)}`;
  inMemory.set(name, file);
  // Where the browser stores nothing (private windows), the file is kept until the page is left.
  within("readwrite", (store) => store.put(file, name)).catch(() => {});
  return name;
}

/** @returns {Promise<File|undefined>} undefined: it is not stored any more */
export async function recall(name) {
  if (inMemory.has(name)) return inMemory.get(name);
  return within("readonly", (store) => store.get(name)).catch(() => undefined);
}

/** Forget files that are older than a day. */
export function forgetOld() {
  const old = IDBKeyRange.upperBound(String(Date.now() - DAY_MS));
  within("readwrite", (store) => store.delete(old)).catch(() => {});
}
