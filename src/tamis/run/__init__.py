"""Runs: from what a user asks to files on disk; the command line and `tamis.*` are thin over it.

- `options`, `session`, `inputs`: the job, the machine, the names people type
- `select`, `choose`, `where`: read, set aside, filter, choose
- `selection`, `outputs`, `write`, `decisions`, `manifest`: what comes out
- `annotate`, `pool`, `plan`, `why`, `rerun`, `catalogue`: the other verbs
- `api`: the interface in Python
"""
