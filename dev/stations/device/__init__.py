"""What a station consists of, before it says or obeys anything."""
