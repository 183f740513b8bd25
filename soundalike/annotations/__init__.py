"""Labels of spans inside recordings: values, and readers of label files."""
