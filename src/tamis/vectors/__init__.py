"""Vectors of records: where they come from, and what is near what.

============  ================================================================
`encoders`    models, functions and files that give vectors
`wordllama`   the bundled static vectors, added up exactly
`tiles`       blocks of fixed shape: the same numbers on any number of threads
`kmeans`      k-means, plain and spherical
`neighbours`  the nearest neighbours of every record, exact or approximate
============  ================================================================

`n x d` arrays of float16 or float32, in memory or memory-mapped, come in; rows are records in
canonical order. Nothing here knows what a record says: an encoder's items are opaque.
"""
