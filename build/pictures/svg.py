"""What all pictures share: two palettes, and elements of SVG as texts. Nothing here knows what a picture shows."""

from html import escape

# Of GitHub's own pages, where most people see README. Contrast with the ground is above 4.5 for each.
LIGHT = {
    "ground": "#ffffff", "box": "#f6f8fa", "edge": "#8c959f", "text": "#1f2328", "dim": "#59636e",
    "accent": "#0969da", "good": "#1a7f37", "bad": "#d1242f",
}  # fmt: skip
DARK = {
    "ground": "#0d1117", "box": "#161b22", "edge": "#6e7681", "text": "#e6edf3", "dim": "#9198a1",
    "accent": "#4493f8", "good": "#3fb950", "bad": "#f85149",
}  # fmt: skip
PALETTES = {"light": LIGHT, "dark": DARK}

SANS = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"
MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


COLON = {"xml_space": "xml:space"}  # what Python cannot write


def element(name, content=None, **attributes):
    """Returns one element. An underscore in an attribute's name is a hyphen, one at its end is nothing (`class_`)."""
    words = "".join(
        f' {COLON.get(key, key.rstrip("_").replace("_", "-"))}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{words}/>" if content is None else f"<{name}{words}>{content}</{name}>"


def text(x, y, content, *, size=14, anchor="middle", fill, weight=None, **more):
    """Returns a line of text. content: str, as it is to be read."""
    return element(
        "text", escape(content, quote=False), x=x, y=y, font_size=size, text_anchor=anchor, fill=fill,
        font_weight=weight, **more,
    )  # fmt: skip


def picture(width, height, title, description, parts, *, font=SANS, style=""):
    """Returns the whole file. title and description are what a screen reader says."""
    attributes = {
        "xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {width} {height}", "width": width, "height": height,
        "role": "img", "font-family": font,
    }  # fmt: skip
    words = "".join(f' {key}="{escape(str(value))}"' for key, value in attributes.items())
    head = [element("title", escape(title, quote=False)), element("desc", escape(description, quote=False))]
    if style:
        head.append(element("style", style))
    return "\n".join([f"<svg{words}>", *head, *parts, "</svg>"]) + "\n"
