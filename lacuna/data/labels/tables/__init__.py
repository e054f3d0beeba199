"""Tables in the formats that people have, read into columns of text.

In: a file, whatever it is called. Out: its header, and the columns that are asked for, each distinct word once.
"""
