// A QR code that the server drew, as an SVG text.
export function drawQr(box, svg) {
  const picture = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
  box.replaceChildren(document.adoptNode(picture));
}
