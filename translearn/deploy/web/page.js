"use strict";
const drop = document.getElementById("drop");
const input = document.getElementById("file");
const error = document.getElementById("error");
const found = document.getElementById("found");
const SHOWN = 5;

// Text is set as text only: names of files and classes are not trusted.
function element(tag, text, ...children) {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function percent(probability) {
  return (100 * probability).toFixed(1) + " %";
}

function classRow([name, probability]) {
  const bar = element("i");
  bar.style.width = 100 * probability + "%";
  const track = element("div", "", bar);
  track.className = "track";
  const row = element("div", "", element("span", name), track, element("span", percent(probability)));
  row.className = "class";
  row.firstChild.title = name;
  return row;
}

function card(prediction) {
  const image = element("img");
  image.src = prediction.picture;
  image.alt = "the picture as the model saw it";
  const caption = element("figcaption", prediction.name + ", as the model saw it");
  const title = prediction.class + ", " + percent(prediction.probability);
  const classes = element("div", "", element("h2", title), ...prediction.ranked.map(classRow));
  classes.className = "classes";
  return element("article", "", element("figure", "", image, caption), classes);
}

async function predict(files) {
  if (!files.length) return;
  error.textContent = "";
  drop.setAttribute("aria-busy", "true");
  const form = new FormData();
  for (const file of files) form.append("image", file, file.name);
  try {
    const response = await fetch("predict?picture=1", { method: "POST", body: form });
    const told = await response.json();
    if (!response.ok) throw new Error(told.error);
    for (const prediction of told.predictions) {
      prediction.ranked = Object.entries(prediction.probabilities)
        .sort((a, b) => b[1] - a[1])
        .slice(0, SHOWN);
      found.prepend(card(prediction));
    }
  } catch (reason) {
    error.textContent = reason.message;
  } finally {
    drop.removeAttribute("aria-busy");
    input.value = "";
  }
}

for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragover");
    if (kind === "drop") predict(event.dataTransfer.files);
  });
}
input.addEventListener("change", () => predict(input.files));
fetch("model")
  .then((response) => response.json())
  .then((told) => {
    const classes = told.classes.length + " classes: " + told.classes.slice(0, 8).join(", ");
    const more = told.classes.length > 8 ? ", ..." : "";
    document.getElementById("model").textContent =
      told.arch + " at " + told.image_size + " × " + told.image_size + " pixels, " + classes + more;
  });
