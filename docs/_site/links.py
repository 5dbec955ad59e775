"""Links that lead to files of the project also lead somewhere on the site."""

import re

__all__ = ["on_site"]

# What is linked, from a page in `docs` or from the top of the project, and its page.
PAGES = {
    r"\(\.\./docs/": "(",  # of a notebook
    r"\((?:\.\./)?src/leakyflow/networks/(\w+)/README\.md": r"(networks/\1.md",
    r"\((?:\.\./)?CONTRIBUTING\.md": "(project/contributing.md",
    r"\((?:\.\./)?CHANGELOG\.md": "(project/changelog.md",
    r"\((?:\.\./)?notebooks/?(?=[)#])": "(tutorials.md",
    r"\((?:\.\./)?notebooks/(\w+)\.ipynb": r"(tutorials/\1.ipynb",
    r"\(docs/": "(",
}


def on_site(text: str, *, folder: str = "") -> str:
    """Let links lead to pages of the site.

    Args:
        text: Of a page.
        folder: Where the page comes to lie, below `docs`; with a slash at its end.

    Example:
        >>> on_site("[how](../CONTRIBUTING.md), [files](docs/files.md)")
        '[how](project/contributing.md), [files](files.md)'
        >>> on_site("[exports](../docs/exports.md)", folder="tutorials/")
        '[exports](../exports.md)'
    """
    up = "../" * folder.count("/")
    for pattern, page in PAGES.items():
        text = re.sub(r"\]" + pattern, "]" + page.replace("(", "(" + up, 1), text)
    return text
