"""The path of a candidate: contract, jail, trusted graph, costs, verifier."""
