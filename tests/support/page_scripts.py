"""JavaScript that tests run inside a page to measure it."""

# The content of a column of the first table: first lines of the cells, without marks.
COLUMN = """
const table = document.querySelector("table");
const at = [...table.tHead.rows[0].cells].findIndex((head) => head.innerText.trim() === arguments[0]);
return [...table.tBodies[0].rows].map((row) => row.cells[at].innerText.split("\\n")[0].replace(/[★≈▼]/, "").trim());
"""

# Contrast of WCAG 2: luminance of sRGB colours, on the nearest ancestor that has a background.
CONTRASTS = """
const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const parts = (color) => color.match(/[\\d.]+/g).map(Number);
const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const ground = (e) => {
  for (; e; e = e.parentElement) {
    const color = parts(getComputedStyle(e).backgroundColor);
    if (color.length === 3 || color[3] === 1) return color;
  }
  return [255, 255, 255];
};
return [...document.querySelectorAll(arguments[0])].map((e) => {
  const [a, b] = [luminance(parts(getComputedStyle(e).color)), luminance(ground(e))];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
});
"""

# Share of the first picture's pixels that have the green of its own style sheet.
GREEN_SHARE = """
const image = document.querySelector("img"), canvas = document.createElement("canvas");
[canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
const context = canvas.getContext("2d");
context.drawImage(image, 0, 0);
const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
let green = 0;
for (let i = 0; i < data.length; i += 4) green += data[i] === 27 && data[i + 1] === 158 && data[i + 2] === 75;
return green / (data.length / 4);
"""
