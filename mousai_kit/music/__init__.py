"""Music as data: tracks and their crops, tags and the captions made of them."""
