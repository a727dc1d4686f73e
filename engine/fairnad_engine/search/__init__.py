"""The FairNAD search: fairness, Pareto selection, stages, memory, the loop."""
