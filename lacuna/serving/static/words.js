/** Numbers and lists as people read them. */

const SPACE = "\u202f"; // narrow, no line break

/** A share as a percentage. What is not quite all or nothing never reads as if it were. */
export function percent(share) {
  if (share > 0.995 && share < 1) return `>${SPACE}99${SPACE}%`;
  if (share > 0 && share < 0.005) return `<${SPACE}1${SPACE}%`;
  return `${Math.round(share * 100)}${SPACE}%`;
}

export function count(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

/** "a, b and c"; of more than `most` only the first ones are named, and the others counted. */
export function listed(names, most = Infinity) {
  const shown = names.length > most ? [...names.slice(0, most - 1), `${names.length - most + 1} more`] : names;
  return shown.length > 1 ? `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}` : (shown[0] ?? "");
}

export function megabytes(bytes) {
  return `${(bytes / 1e6).toLocaleString("en", { maximumSignificantDigits: 3 })}${SPACE}MB`;
}
