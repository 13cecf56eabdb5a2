"""The reference, as Markdown: recipe keys, and a page for each kind of part with its components."""

from mousai_kit.reference.book import first_party, pages
from mousai_kit.reference.kind_page import BEGIN, END, kind_page
from mousai_kit.reference.recipe_page import KEYS, recipe_page

__all__ = ["BEGIN", "END", "KEYS", "first_party", "kind_page", "pages", "recipe_page"]
