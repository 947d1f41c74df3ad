"""Before serving: what a push sets in motion, from data to a proposed release."""
