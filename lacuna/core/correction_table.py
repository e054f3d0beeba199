"""The columns of a table of cells that a person corrects: what the audit writes and prepare reads back."""

COLUMNS = ("image", "target", "given", "corrected")

UNKNOWN_WORD = "NA"
"""What an unknown label is called there."""
