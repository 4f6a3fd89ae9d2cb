// Taking away what is shown: CSV and one page come from the server, the picture from the canvases.

import { $, text } from "./dom.js";
import { colours } from "./tracks.js";

const PAD_PX = 24;
const HEAD_PX = 56;
const FOOT_PX = 30;

/** `curves` knows the stretch that is shown; the links follow it. */
export function offerToSave(curves, feed) {
  $("save").addEventListener("toggle", () => {
    const asked = curves.stretch().replace(/^&/, "?");
    for (const kind of ["csv", "html"]) $(`save-${kind}`).href = `/api/export.${kind}${asked}`;
  });
  $("save").addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    $("save").open = false;
    $("save").querySelector("summary").focus();
  });
  $("save-png").addEventListener("click", async () => {
    const until = new Date(1000 * (curves.answer?.time.at(-1) ?? 0)).toISOString().slice(0, 16).replace("T", " ");
    const picture = await draw(document.querySelectorAll("#tracks canvas"), `${$("curves-note").textContent}, until ${until} UTC`);
    if (!picture) return text("spoken", "There is no curve to save yet");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(picture);
    link.download = `${feed.live?.lab ?? "lab"}-curves.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}

/** Both tracks under their names on the page's ground, as a PNG; null when nothing is drawn. */
async function draw(tracks, note) {
  if (!tracks.length) return null;
  const theme = colours();
  const unit = devicePixelRatio;
  const width = Math.max(...Array.from(tracks, (one) => one.width)) + 2 * PAD_PX * unit;
  const height = Array.from(tracks).reduce((sum, one) => sum + one.height + HEAD_PX * unit, FOOT_PX * unit);
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const ctx = canvas.getContext("2d");
  ctx.fillStyle = theme.bg;
  ctx.fillRect(0, 0, width, height);
  let top = 0;
  for (const [at, one] of Array.from(tracks).entries()) {
    ctx.fillStyle = theme.ink;
    ctx.font = `600 ${15 * unit}px "Plex Sans", system-ui, sans-serif`;
    ctx.fillText(["Loss, smoothed over its band", "Tokens per second"][at] ?? "", PAD_PX * unit, top + 36 * unit);
    ctx.drawImage(one, PAD_PX * unit, top + HEAD_PX * unit);
    top += one.height + HEAD_PX * unit;
  }
  ctx.fillStyle = theme.ink3;
  ctx.font = `${11 * unit}px "Plex Sans", system-ui, sans-serif`;
  ctx.fillText(`${document.title} · ${note}`, PAD_PX * unit, top + 18 * unit);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
