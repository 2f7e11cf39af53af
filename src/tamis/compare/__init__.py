"""Comparing: a selection beside others on equal terms, and what of the difference chance explains.

==============  =================================================================================
`statistics`    where a figure stands among those of random selections, with its probabilities
`figures`       the measures, each a function of arrays and of sets of records
`matching`      the records of a selection, found in its pool
`columns`       what the measures read: columns and texts of the pool, each once
`result`        what a check found: figures, table, sentence, page
`check`         the flow: a selection beside random ones of the same budget
`profile`       the flow: sets of records side by side, each measured as it is
`profiled`      what a profile found: figures, table, page
==============  =================================================================================

All that is compared goes through the same code on records of the same pool. So a selection that is
random itself stands among the random ones like any other, whatever the measure.
"""
