"""What everything else speaks about: values without behaviour towards the outside. Imports nothing of ours."""
