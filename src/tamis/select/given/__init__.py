"""What methods are given: options, labels, lists, judges, examples; and arrays made into a pool."""
