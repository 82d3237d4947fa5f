"""The lines of the tutorial's socket, as types: of these its description is made."""

from typing import Annotated, Any, Final, Literal, get_args

from msgspec import Meta

_Greeted = Literal["connected ...."]
GREETING: Final[str] = get_args(_Greeted)[0]
REFUSED: Final = "! "

Said = Annotated[str, Meta(title="Said", description="The body of a text message.")]
Greeting = Annotated[
    _Greeted, Meta(title="Greeting", description="The first line: whatever is said from now on follows.")
]
Refusal = Annotated[
    str, Meta(title="Refusal", description="Why a line of yours was not kept.", pattern=f"^{REFUSED}")
]

CLIENT_LINES: tuple[Any, ...] = (Said,)
SERVER_LINES: tuple[Any, ...] = (Greeting, Said, Refusal)
