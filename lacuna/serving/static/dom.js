/** Making elements. Text only ever becomes text: names of classes and files cannot bring markup along. */

/**
 * An element with attributes, listeners (functions, under the event's name) and children. `true` sets an empty
 * attribute; `false`, null and undefined set none. Children may be lists; null, undefined and false are left out.
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return made;
}

/** Sets a custom property of CSS, which a strict content security policy allows to scripts but not to markup. */
export function withProperties(made, properties) {
  for (const [name, value] of Object.entries(properties)) made.style.setProperty(name, value);
  return made;
}
