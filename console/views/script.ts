/** The pages' script. Every page works without it; it only keeps pages up to date. */
export const SCRIPT = `"use strict";
// Reads the page again and shows what changed, unless somebody is using the part that would change.
async function refresh() {
  const main = document.getElementById("main");
  const busy = main.contains(document.activeElement) && document.activeElement !== main;
  const open = main.querySelector("details[open]") !== null;
  if (document.hidden || busy || open || String(getSelection()) !== "") return;
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!answer.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const next = page.getElementById("main");
  if (next !== null && next.innerHTML !== main.innerHTML) main.replaceChildren(...next.childNodes);
}

// Shows how far an order has come, as the server sends it. If the stream breaks off, the page is read again.
function follow(place) {
  const stream = new EventSource(place.dataset.follow);
  stream.addEventListener("progress", ({ data }) => {
    const part = new DOMParser().parseFromString(data, "text/html");
    place.replaceChildren(...part.body.childNodes);
  });
  stream.addEventListener("end", () => {
    stream.close();
    location.reload();
  });
  stream.addEventListener("error", () => {
    stream.close();
    setTimeout(() => location.reload(), 3000);
  });
}

const main = document.getElementById("main");
const every = Number(main.dataset.refresh);
if (every > 0) setInterval(() => refresh().catch(() => undefined), every * 1000);
if (main.dataset.follow) follow(main);
`;

export const FAVICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="#c25b00" d="M8 1a5 5 0 0 0-3 9v2h6v-2a5 5 0 0 0-3-9zM6 13h4v1.5H6z"/></svg>`;
