"""Decides what the law allows, step by step, and watches the clocks."""
