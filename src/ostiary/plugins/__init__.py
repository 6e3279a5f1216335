"""The chain that asks: plugins as pure steps, the questions they may ask, and the two drivers that run them."""
