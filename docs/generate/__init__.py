"""The reference, as Markdown: recipe keys, and a page for each kind of part with its components."""

from generate.book import pages
from generate.kind_page import BEGIN, END, kind_page
from generate.recipe_page import KEYS, recipe_page

__all__ = ["BEGIN", "END", "KEYS", "kind_page", "pages", "recipe_page"]
