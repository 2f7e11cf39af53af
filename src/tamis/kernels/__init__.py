"""Compiled loops (Numba over Arrow buffers and NumPy arrays) that two rooms need."""
