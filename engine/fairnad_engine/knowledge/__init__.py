"""From papers to an idea library: template, reading, extraction, grounding, curation."""
