// Inserts a QR code that the server rendered as SVG.
export function drawQr(box, svg) {
  const picture = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
  box.replaceChildren(document.adoptNode(picture));
}
