"""What a browser lacks, so that the page has to go on over another transport."""

NO_WEBSOCKET = "delete globalThis.WebSocket"
BROKEN_WEBSOCKET = "globalThis.WebSocket = class { constructor() { throw new Error('blocked') } }"
DEAF_WEBSOCKET = """globalThis.WebSocket = class {
    constructor() { setTimeout(() => this.onclose({ code: 1006, reason: "" })) }
    send() {}
    close() {}
}"""
NO_EVENT_SOURCE = "delete globalThis.EventSource"

LONG_POLL = "/chats/long_poll/{}/"

# Arguments of `in_room` that lead to each transport.
TRANSPORTS = {
    "WebSocket": {},
    "Server-Sent Events": {"script": BROKEN_WEBSOCKET},
    "long poll": {"path": LONG_POLL},
}
