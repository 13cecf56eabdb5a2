"""Publication: a trained system made ready for others: a recipe, weights and a card, no paths."""
