"""A development cluster: brought up, filled with the platform, images and this checkout's data and code, taken down."""
