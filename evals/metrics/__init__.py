"""What is measured: one metric, one file, and `measures`, which says what each of them is."""
