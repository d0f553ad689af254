"""The kit's figures: one style, one module per signature figure.

Every module has one function, `draw`, that takes plain tables and returns a
figure; it shows itself as the last line of a notebook cell.
"""
