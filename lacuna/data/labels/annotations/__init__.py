"""What readers of annotation tools' exports share: bounded reading, JSON item by item, targets by the words found.

In: a file of unknown size and content. Out: rows of words and the targets they offer, or one line on what is wrong.
"""
