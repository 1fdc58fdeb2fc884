/* Copies the text of a chosen file into the form's field. Without it, codes can be pasted. */

const input = document.getElementById("file");
const problem = document.getElementById("file-error");
const codes = document.getElementById("codes");

document.getElementById("file-field").hidden = false;

input.addEventListener("change", async () => {
  const [file] = input.files;
  problem.textContent = "";
  if (!file) return;
  try {
    if (file.size > Number(input.dataset.largest)) throw new RangeError();
    codes.value = decoded(new Uint8Array(await file.arrayBuffer()));
  } catch (error) {
    problem.textContent = error instanceof RangeError
      ? "This file is larger than 1 MB. Please import it in several parts."
      : "This file is not text in UTF-8 or UTF-16. Save it as CSV in UTF-8.";
  }
});

/* Spreadsheets write UTF-8 or UTF-16, usually with a byte order mark. Without one, zero bytes show which it is. */
function decoded(bytes) {
  return new TextDecoder(encodingOf(bytes), { fatal: true }).decode(bytes);
}

function encodingOf(bytes) {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return "utf-16be";
  if (bytes[1] === 0) return "utf-16le";
  return bytes[0] === 0 ? "utf-16be" : "utf-8";
}
