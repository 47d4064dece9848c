// The page as a whole: who is logged in, which part is shown.

import { get, post } from "./api.js";
import { clientParts } from "./client_parts.js";
import { clientsPage } from "./clients.js";
import { el, labelled, setText } from "./dom.js";
import { helpPage } from "./help.js";
import { i2cPage } from "./i2c.js";
import { logPage } from "./log.js";
import { tick } from "./parts.js";
import { T } from "./texts.js";

const ROLES = ["view", "send", "administer"];
const main = document.getElementById("main");
const header = document.getElementById("header");
const trouble = document.getElementById("trouble");
let me = null;
let leave = () => {};

const context = {
  may: (role) => ROLES.indexOf(me.role) >= ROLES.indexOf(role),
  trouble: (text) => { trouble.hidden = !text; setText(trouble, text); },
  out: () => { me = null; show(); },
};

function showHeader(page) {
  header.hidden = me === null;
  if (me === null) return;
  const link = (name, href) => el("a", { href, "aria-current": page === name ? "page" : null }, T.nav[name]);
  const logOut = async () => {
    try {
      await post("logout");
    } catch (error) {
      context.trouble(`${T.trouble.failed}: ${error.message}`); // the session goes on
      return;
    }
    context.out();
  };
  header.replaceChildren(
    el("strong", {}, T.title),
    el("nav", { "aria-label": T.nav.label }, link("clients", "#/"), link("i2c", "#/i2c"), link("log", "#/log"), link("help", "#/help")),
    el("span", { class: "me" }, me.user, " ", el("small", {}, T.role[me.role])),
    ...(me.user === "anonymous" ? [] : [el("button", { type: "button", click: logOut }, T.logOut)]));
}

function loginPage() {
  const user = el("input", { name: "user", autocomplete: "username", required: true });
  const password = el("input", { name: "password", type: "password", autocomplete: "current-password", required: true });
  const said = el("p", { role: "alert" });
  const submit = async (event) => {
    event.preventDefault();
    setText(said, "");
    try {
      me = await post("login", { user: user.value, password: password.value });
      show();
    } catch (error) {
      setText(said, error.message);
      password.select();
    }
  };
  main.append(el("form", { class: "card login", submit }, el("h1", {}, T.login.title), labelled(T.login.user, user),
    labelled(T.login.password, password), el("button", {}, T.login.do), said, el("small", {}, T.login.hint)));
  user.focus();
  return () => {};
}

// Returns the id in an address, which a user may have typed.
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function show() {
  leave();
  context.trouble("");
  main.replaceChildren();
  const [, page = "", rest = "", part = ""] = location.hash.split("/");
  document.title = T.title;
  if (me === null) {
    showHeader("");
    leave = loginPage();
    return;
  }
  if (page === "client") leave = clientParts(main, context, decoded(rest), part);
  else if (page === "i2c") leave = i2cPage(main, context, null);
  else if (page === "log") leave = logPage(main, context);
  else if (page === "help") leave = helpPage(main);
  else leave = clientsPage(main, context);
  showHeader(page === "client" || page === "" ? "clients" : page);
  const current = main.querySelector(".parts [aria-current]")?.textContent;
  document.title = [main.querySelector("h1").firstChild.textContent, current, T.title].filter(Boolean).join(" – ");
  main.focus({ preventScroll: true });
}

setText(document.getElementById("skip"), T.skip);
document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
setInterval(tick, 1000);
addEventListener("hashchange", show);
me = await get("me").catch(() => null);
show();
