"""What runs while a model is served: the prediction server and the judge of drift. Imports `models` alone."""
