// The parts of a client's page, each with a stream of its own, and the links between them.

import { clientPage } from "./client.js";
import { consolePage } from "./console.js";
import { el } from "./dom.js";
import { i2cPage } from "./i2c.js";
import { sensorsPage } from "./sensors.js";
import { T } from "./texts.js";

const PARTS = { "": clientPage, sensors: sensorsPage, console: consolePage, i2c: i2cPage };

export function clientParts(main, context, id, part) {
  const shown = Object.hasOwn(PARTS, part) ? part : "";
  const leave = PARTS[shown](main, context, id);
  const base = "#/client/" + encodeURIComponent(id);
  const link = (name) =>
    el("a", { href: name ? `${base}/${name}` : base, "aria-current": name === shown ? "page" : null }, T.parts[name]);
  main.querySelector("h1").after(el("nav", { class: "parts", "aria-label": T.parts.label }, ...Object.keys(PARTS).map(link)));
  return leave;
}
