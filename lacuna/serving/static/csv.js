/** Results as a table for spreadsheets. */

const BYTE_ORDER_MARK = "\ufeff"; // without it Excel does not read the file as UTF-8

/**
 * A row per image: its name, why it could not be read, whether it is unfamiliar, and for each target the decision, the
 * probability (of "present" if binary, else of the decided class), and whether it is unsure. `results` are answers of
 * /predict, or `{image, error: {message}}`.
 */
export function resultsAsCsv(results, targetNames) {
  const header = ["image", "error", "unfamiliar"];
  for (const name of targetNames) header.push(name, `${name} probability`, `${name} unsure`);
  const rows = results.map((result) => {
    const row = [result.image, result.error?.message, result.unfamiliar];
    for (const name of targetNames) {
      const { decision, probability, unsure } = result.targets?.[name] ?? {};
      row.push(decision, probability, unsure);
    }
    return row;
  });
  return BYTE_ORDER_MARK + [header, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

const FORMULA = /^'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/; // the last are the signs in full width
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** Text that a spreadsheet would take for a formula gets an apostrophe in front, as `lacuna.io.spreadsheets` has it. */
function cell(value) {
  if (value === undefined || value === null) return "";
  const isFormula = typeof value === "string" && FORMULA.test(value) && !NUMBER.test(value);
  const text = isFormula ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Has the browser save `text` as a file. */
export function save(text, name) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
