"""Fields of forms, as people fill them in."""

from playwright.sync_api import Locator


def fill_again(field: Locator, value: str) -> None:
    """Where a form was just answered with its own page, led to a part of itself (`#members`).

    Such a page takes the focus from whatever has it when it is first drawn, later than it is there, and also
    between the marking of what stands in the field and the keys that replace that. A click waits until it is drawn.
    """
    field.click()
    field.fill(value)
