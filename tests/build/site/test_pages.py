"""What is plain Markdown in the repository is linked on the site."""

from build.site.pages import dark_twin, page_named, with_tree
from build.tools.cache import ROOT


def test_only_whole_names_of_pages_are_links():
    assert page_named("docs/client.md") == "client" and page_named("docs/i2c-devices.md") == "i2c-devices"
    assert page_named("server/core/store.py") is None and page_named("see docs/client.md") is None


def test_lists_of_the_first_page_are_the_tree():
    text = "# Site\n\nText.\n\n## Learn\n\n- [One](one.md)\n- [Two](api/two.rst)\n\n## Words\n\nNone.\n"
    found = with_tree(text)
    assert found.startswith("# Site\n\nText.\n")
    assert "- [Two](api/two.rst)\n\n```{toctree}\n:hidden:\n:caption: Learn\n\none\napi/two\n```" in found
    assert found.count("{toctree}") == 1 and "## Words\n\nNone." in found


def test_page_that_no_list_has_is_in_the_tree_all_the_same():
    found = with_tree("# Site\n\n## Learn\n\n- [One](one.md)\n", ["new", "one"])
    assert found.endswith(":caption: More\n\nnew\n```\n") and found.count("{toctree}") == 2
    assert with_tree("# Site\n\n## Learn\n\n- [One](one.md)\n", ["one"]).count("{toctree}") == 1


def test_picture_has_its_twin_on_dark_pages():
    assert dark_twin("pictures/demo-light.svg") == "pictures/demo-dark.svg" and dark_twin("wiring.svg") is None
    lights = (ROOT / "docs" / "pictures").glob("*-light.svg")
    assert all((ROOT / "docs" / dark_twin(f"pictures/{light.name}")).exists() for light in lights)
