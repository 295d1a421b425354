"""What several test folders start or build."""
