"""Find copies of recordings, and sounds that occur again and again."""
