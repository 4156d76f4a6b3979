"""The published language of Guichet: the envelope, the topics and every event that travels on them."""
