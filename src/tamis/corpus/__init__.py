"""The corpus: reading, record shapes, the store, writing; no judgement about any record.

- `sources`, `formats`: what the user named, as files of known formats
- `readers`, `lines`, `tabular`, `csv_file`, `json_array`, `objects`: a file as fragments
- `json_chunk`, `text_chunk`, `table_chunk`: a fragment as columns
- `shapes`, `recognise`: where the text of a record is
- `corpus`, `rows`, `fields`, `identity`: every record under one id space
- `store`: computed columns on disk
- `writers`, `convert`: records into files
"""
