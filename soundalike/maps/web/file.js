/** The map as a file of its own: data and pictures lie in the page. */

import { make, MapView } from "./view.js";

const data = JSON.parse(document.getElementById("map-data").textContent);
const sheet = document.getElementById("map-pictures");
const view = new MapView(document.getElementById("map"), data, {
  pictureOf,
  detailsOf: (number) => [pictureOf(number), copyButton(number)].filter(Boolean),
});
document.documentElement.dataset.points = view.data.count;

/** Cut a spectrogram out of the sheet that has all of them. */
function pictureOf(number) {
  const place = data.pictures?.places[number] ?? -1;
  if (place < 0 || !sheet) return null;
  const { width, height, columns } = data.pictures;
  const canvas = make("canvas", { class: "map-picture", width, height, role: "img", "aria-label": "spectrogram" });
  const draw = () => canvas.getContext("2d").drawImage(sheet, (place % columns) * width, Math.floor(place / columns) * height, width, height, 0, 0, width, height);
  if (sheet.complete) draw();
  else sheet.addEventListener("load", draw, { once: true });
  return canvas;
}

function copyButton(number) {
  const button = make("button", { type: "button" }, "Copy the path");
  button.addEventListener("click", async () => {
    const copied = await navigator.clipboard?.writeText(data.columns.uri[number]).then(() => true, () => false);
    button.textContent = copied ? "Copied" : "Select the path above to copy it";
  });
  return button;
}
