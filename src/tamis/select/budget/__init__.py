"""How a budget is filled: quotas, costs and pins, greedily or down an order, in shares, in rounds, with weights."""
