"""Gives and takes away what a permit allows, and proves that it did."""
