"""Reference data of the demo: a catalogue of datasets and a list of hosting environments, all synthetic."""
