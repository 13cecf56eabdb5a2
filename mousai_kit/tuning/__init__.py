"""Tuning: a stage starts from given weights, and learns a part of them, or adapters beside them."""
