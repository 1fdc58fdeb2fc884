/* Uploads or removes an event's poster. The picture is the request body: the console's forms carry text only. */

const form = document.getElementById("poster");
const input = document.getElementById("poster-file");
const problem = document.getElementById("poster-error");

form.hidden = false;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const [file] = input.files;
  if (!file) return refuse("Please choose a picture.");
  if (file.size > Number(form.dataset.largest)) return refuse("This picture is larger than 5 MB. Please choose a smaller one.");
  return send({ method: "PUT", body: file, headers: { "Content-Type": file.type || "application/octet-stream" } }, "poster");
});

form.querySelector("button[type=button]")?.addEventListener("click", () => send({ method: "DELETE" }, "no-poster"));

async function send(request, done) {
  for (const button of form.querySelectorAll("button")) button.disabled = true;
  const sentence = await refusalOf(request);
  if (!sentence) return location.assign(`?done=${done}`);
  for (const button of form.querySelectorAll("button")) button.disabled = false;
  return refuse(sentence);
}

/* Sends the request. Returns the error message, or "" if it succeeded. */
async function refusalOf(request) {
  try {
    const response = await fetch(form.dataset.at, request);
    if (response.ok) return "";
    const { error, fields } = await response.json();
    return fields?.poster ?? error;
  } catch {
    return "The server could not be reached. Please try again.";
  }
}

function refuse(sentence) {
  problem.textContent = sentence;
  input.setAttribute("aria-invalid", "true");
  input.focus();
}
