"""Evaluation: figures of trained stages, and the report."""
