/* Enhancements of the admin pages: times in the admin's zone, copy buttons, no double submits. All optional. */

const clock = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  timeZoneName: "short",
});

for (const element of document.querySelectorAll("time[datetime]")) {
  element.title = element.textContent;
  element.textContent = clock.format(new Date(element.dateTime));
}

/* Times are entered in this zone and sent with their UTC offset, which the server appends. */
const zone = clock.resolvedOptions().timeZone;

for (const form of document.querySelectorAll("form[data-zoned]")) {
  for (const label of form.querySelectorAll("[data-zone]")) {
    label.textContent = zone === "UTC" ? "UTC" : `your time zone, ${zone}`;
  }
  form.addEventListener("formdata", ({ formData }) => {
    for (const field of form.querySelectorAll("input[type=datetime-local]")) {
      formData.set(`${field.name}Offset`, offsetOf(field.value));
    }
  });
}

/* "+02:00": the difference between a local time and its UTC time, also for an hour that a clock change skips. */
function offsetOf(wallClock) {
  const minutes = Math.round((new Date(`${wallClock}Z`) - new Date(wallClock)) / 60_000);
  if (Number.isNaN(minutes)) {
    return "";
  }
  const pad = (number) => String(number).padStart(2, "0");
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
}

const toast = document.getElementById("toast");
let toastTimer;

function say(text) {
  clearTimeout(toastTimer);
  toast.textContent = text;
  toast.classList.add("shown");
  toastTimer = setTimeout(() => {
    toast.classList.remove("shown");
    toast.textContent = "";
  }, 4000);
}

/* Plain HTTP has no clipboard API; execCommand still works there. */
async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement("textarea");
  const before = document.activeElement;
  area.value = text;
  area.readOnly = true;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  before?.focus();
  if (!copied) {
    throw new Error("copy");
  }
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.querySelector(button.dataset.copy);
    const text = source.value ?? source.textContent;
    const lines = text.split("\n").length;
    try {
      await copy(text);
      say(lines > 1 ? `Copied ${lines} lines` : "Copied");
    } catch {
      say("The browser did not allow copying. Please select the text and copy it yourself.");
    }
  });
}

for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    if (event.submitter && form.dataset.busy) {
      event.submitter.dataset.label = event.submitter.textContent;
      event.submitter.textContent = form.dataset.busy;
    }
  });
}

/* A page restored from the back-forward cache can be submitted again. */
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) {
    return;
  }
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("[data-label]")) {
      button.textContent = button.dataset.label;
    }
  }
});

/* Remove the message from the URL, so that a reload does not show it again. */
const address = new URL(location.href);
if (address.searchParams.has("done")) {
  address.searchParams.delete("done");
  history.replaceState(history.state, "", address);
}
