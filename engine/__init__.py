"""The process, and the ports through which it meets the world."""
