// Makes elements. Texts of clients become text nodes and attributes, never markup.

// Returns an element. attributes: functions become listeners, true an empty attribute; null and false are left out.
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

// Sets a text only if it differs, so that a selection of the user's stays.
export function setText(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}

// Returns a label with its control in it.
export function labelled(text, control) {
  return el("label", {}, el("span", {}, text), control);
}

// Returns a colour of style.css as the browser has it now, for a canvas. alpha: 0 to 1.
export function colorOf(name, alpha = 1) {
  const probe = el("span", { hidden: true });
  document.body.append(probe);
  probe.style.color = `var(${name})`;
  const color = getComputedStyle(probe).color;
  probe.remove();
  return alpha === 1 ? color : color.replace("rgb(", "rgba(").replace(")", `, ${alpha})`);
}
