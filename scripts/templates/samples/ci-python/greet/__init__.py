"""Greetings."""


def greeting(name: str) -> str:
    """A greeting for somebody."""
    return f"hello, {name}"
