"""What the data and the model are like: explore before training, audit the labels, explain the decisions.

In: images, labels, features, predictions of training and validation; never test. Out: tables, pictures, findings.
"""
