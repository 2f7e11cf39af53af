"""Measures: what can be said about a set of records, as functions of arrays.

==============  =================================================================================
`diversity`     Vendi score of any order, effective number of groups (Hill)
`distances`     mean distance to the nearest neighbour
`ngrams`        share of different n-grams, among equally many of each set
`divergence`    KL divergence between hashed n-gram distributions, as DSIR defines it
`plane`         two directions to draw a set of vectors by, and the words that tell their ends
`linear`        dot products and eigenvalues, the same on any number of threads
`chance`        random selections of the same budget, and where a figure stands among theirs
==============  =================================================================================

A figure of a selection says little alone: it goes beside those of random selections of the same
size (`chance`). Most of these measures depend on the number of records, so only sets of one size
compare.
"""
