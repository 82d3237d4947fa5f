"""Passkeys without a finger: Chromium's virtual authenticator, which says yes, or no."""

from playwright.sync_api import Page

OPTIONS = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class Authenticator:
    """One in the page's browser. Passkeys belong to a host's name: the page is at localhost.

    `asks`: whether it asks for a finger or a PIN; else it is a plain security key.
    """

    def __init__(self, page: Page, asks: bool = True) -> None:
        self._devices = page.context.new_cdp_session(page)
        self._devices.send("WebAuthn.enable")
        added = self._devices.send(
            "WebAuthn.addVirtualAuthenticator", {"options": {**OPTIONS, "hasUserVerification": asks}}
        )
        self._it = {"authenticatorId": added["authenticatorId"]}

    def refuse(self) -> None:
        """Say no from now on: the wrong finger, or who was asked has closed the dialogue."""
        self._devices.send("WebAuthn.setUserVerified", {**self._it, "isUserVerified": False})

    def agree(self) -> None:
        self._devices.send("WebAuthn.setUserVerified", {**self._it, "isUserVerified": True})

    def passkeys(self) -> int:
        """How many it has."""
        return len(self.ids())

    def ids(self) -> list[str]:
        """As the server and the page write them."""
        found = self._devices.send("WebAuthn.getCredentials", self._it)["credentials"]
        return [each["credentialId"].translate(str.maketrans("+/", "-_", "=")) for each in found]
