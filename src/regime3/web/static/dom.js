// Building the page from data. Text always enters as a text node: nothing is ever parsed as HTML.

export const $ = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

/** An element. `attributes` may hold class, onclick and the like; children are nodes or text. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** An element of a drawing. */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** One of the shapes that stand in the page's sprite. */
export const icon = (name, className = "") => svg("svg", { class: `i ${className}`.trim(), "aria-hidden": "true" }, svg("use", { href: `#${name}` }));

/** Replace the text of an element, only when it differs: less work, and no restarted selection. */
export function text(id, value) {
  const node = $(id);
  if (node.textContent !== value) node.textContent = value;
}

/** A figure with a quiet remark after it. */
export function figure(id, value, remark = "") {
  const node = $(id);
  if (node.textContent === value + remark) return;
  node.replaceChildren(value, ...(remark ? [el("small", {}, remark)] : []));
}

/** Rebuild a part of the page only when the data it shows has changed. */
export function whenChanged(build) {
  let before = null;
  return (data) => {
    const now = JSON.stringify(data);
    if (now !== before) build(data);
    before = now;
  };
}
