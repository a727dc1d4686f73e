"""A small server of the tests' own that speaks Ollama's protocol."""
