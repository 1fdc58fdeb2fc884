/* Moves the set-up link's token from the fragment into the form, out of the address bar and the history. */

const token = location.hash.slice(1);
const field = document.getElementById("token");

if (token) {
  field.value = token;
  history.replaceState(history.state, "", location.pathname);
}
if (field.value && !document.querySelector("#token-field.needed")) {
  document.getElementById("token-field").hidden = true;
  if (!document.querySelector("[aria-invalid]")) {
    document.getElementById("username").focus();
  }
}
