/** The state of the service and of the chosen collection. */

import { request } from "./api.js";
import { withCollection } from "./route.js";

/** @type {object} the last answer of /api/status */
export let status = {};
/** @type {{label: string, files: number}[]} most frequent first */
export let labels = [];
/** @type {{folder: string, files: number}[]} */
export let folders = [];

/** @type {{label: string, annotations: number}[]} of annotations, most frequent first */
export let annotated = [];

/** Ask again. */
export async function refresh() {
  const params = withCollection();
  const asked = ["status", "labels", "folders", "annotations/labels"].map((what) => request(`/api/${what}?${params}`));
  const [said, someLabels, someFolders, someAnnotated] = await Promise.all(asked);
  status = said;
  // Files without a label are counted too, under null; nothing can be narrowed to them.
  labels = someLabels.labels.filter(({ label }) => label);
  folders = someFolders.folders;
  annotated = someAnnotated.labels;
}

/** @returns {Promise<object[]>} every collection */
export async function collections() {
  return (await request("/api/collections")).collections;
}
