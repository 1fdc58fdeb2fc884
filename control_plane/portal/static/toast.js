// A short message over the picture, one at a time; it can be closed and disappears automatically.
const SHOWN_MS = 8000;

export function makeToast(box) {
  let timer;
  const close = () => { box.hidden = true; clearTimeout(timer); };
  box.querySelector("button").addEventListener("click", close);
  return (sentence, milliseconds = SHOWN_MS) => {
    close();
    box.hidden = false;
    box.querySelector(".toast-text").textContent = sentence;
    timer = setTimeout(close, milliseconds);
  };
}
