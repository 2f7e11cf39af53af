"""What each record would add to a set that grows: the states behind greedy methods, and the loops over them."""
