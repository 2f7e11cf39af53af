"""Algorithms on arrays that a method or two are made of: determinants, graphs, halving, bandits, small models."""
