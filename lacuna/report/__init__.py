"""The report: everything a run found out, on one page for people."""
