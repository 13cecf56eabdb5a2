"""What `judge.py` is made of: features of crops, classifiers of styles, looks at clips."""
