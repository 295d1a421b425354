"""The adapters against answers that Azure could give, and some that it should not."""
