"""The OpenAI dialect: what its clients send, and the bodies and streams that they read."""
