"""Checks a recorded trail offline: formats, trees and proofs, over `cryptography` and the standard library."""
