"""Measures: what can be said about a set of records, as functions of arrays.

================  =================================================================================
`diversity`       Vendi score of any order, with weights, by any kernel; effective rank; Hill numbers
`streamed`        Vendi score of millions: one pass over vectors on disk, random features, a sample
`landmarks`       Vendi score of millions by any kernel: similarities to a few landmarks
`similarities`    kernels: Gaussian, Jaccard of n-grams
`distances`       mean distance to the nearest neighbour
`coverage`        share of a pool within a radius of a set, covering radius
`discrepancy`     star discrepancy: exact, a bound, between two sets, along random directions
`representative`  a subset that lowers the discrepancy
`duplicates`      exact repeats inside a set and across two
`tables`          records and shares of groups in several sets, and quotas
`ngrams`          share of different n-grams, among equally many of each set
`divergence`      KL divergence between hashed n-gram distributions, as DSIR defines it
`plane`           two directions to draw a set of vectors by, and the words that tell their ends
`linear`          dot products and eigenvalues, the same on any number of threads
`chance`          random selections of the same budget, and where a figure stands among theirs
================  =================================================================================

A figure of a selection says little alone: it goes beside those of random selections of the same
size (`chance`). Most of these measures depend on the number of records, so only sets of one size
compare.
"""
