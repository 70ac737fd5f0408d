"""The prepared store: recordings read once, in parallel, into memory-mapped arrays.

`prepare` plans the work, `shards` reads recordings in processes of their own, `merge` lays the shards end to end, and
`prepared` opens and verifies the result.
"""
