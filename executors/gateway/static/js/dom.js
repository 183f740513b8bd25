/** Elements made from text and properties. No function takes markup, so text is never run. */

const SVG = "http://www.w3.org/2000/svg";

/** @returns {HTMLElement} the element of the page with this id */
export const byId = (id) => document.getElementById(id);

/**
 * Make an element.
 *
 * @param {string} tag
 * @param {object} properties `class`, attributes, and listeners (`onclick`); null and false leave one out
 * @param {...(Node|string|number|null|false|Array)} children
 */
export function el(tag, properties = {}, ...children) {
  return filled(document.createElement(tag), properties, children);
}

/** Make an SVG element; as `el`. */
export function svg(tag, properties = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), properties, children);
}

function filled(made, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  const shown = children.flat().filter((child) => child !== null && child !== undefined && child !== false);
  made.append(...shown.map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

/** Make one of the icons that index.html defines. */
export function icon(name) {
  return svg("svg", { class: "icon", "aria-hidden": "true" }, svg("use", { href: `#icon-${name}` }));
}

/**
 * Make a button.
 *
 * @param {string|null} picture name of an icon
 * @param {string} text
 * @param {Function} onclick
 * @param {object} properties more properties; `label` is what screen readers say in place of the text
 */
export function button(picture, text, onclick, { label, ...properties } = {}) {
  const all = { type: "button", onclick, "aria-label": label, title: label, ...properties };
  return el("button", all, picture && icon(picture), text && el("span", {}, text));
}

/** Put these children in place of an element's own. */
export function put(parent, ...children) {
  parent.replaceChildren(...children.flat().filter(Boolean));
}
