// Help: what each state and number means, and what to do.

import { el } from "./dom.js";
import { chip, setState } from "./parts.js";
import { T } from "./texts.js";

export function helpPage(main) {
  main.append(el("h1", {}, T.help.title), el("h2", {}, T.help.states));
  for (const [state, meaning, remedy] of T.help.rows) {
    const shown = chip();
    setState(shown, state);
    main.append(el("section", { class: "card" }, el("h3", {}, shown), el("p", {}, meaning), el("p", {}, el("b", {}, "→ "), remedy)));
  }
  main.append(el("h2", {}, T.help.numbers),
    el("dl", { class: "terms" }, ...T.help.terms.flatMap(([term, text]) => [el("dt", {}, term), el("dd", {}, text)])),
    el("p", {}, T.help.more));
  return () => {};
}
