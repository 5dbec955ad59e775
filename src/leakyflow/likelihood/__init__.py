"""The closed-form likelihood, against which everything amortized is tested."""
