"""Models that read papers and design backbones, behind one protocol."""
