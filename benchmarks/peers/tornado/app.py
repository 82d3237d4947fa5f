"""Tornado's two chat demos in one: demos/chat (long polls on a condition) and demos/websocket.

python app.py PORT
"""

import asyncio
import os
import sys
import uuid
from typing import ClassVar

import tornado.web
import tornado.websocket

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import commits


class MessageBuffer:
    def __init__(self):
        self.cond = asyncio.Condition()
        self.cache = []
        self.cache_size = 200

    def get_messages_since(self, cursor):
        """The messages newer than the given cursor; where it is not known, all that are here."""
        results = []
        for message in reversed(self.cache):
            if message["id"] == cursor:
                break
            results.append(message)
        results.reverse()
        return results

    async def add_message(self, message):
        self.cache.append(message)
        if len(self.cache) > self.cache_size:
            self.cache = self.cache[-self.cache_size :]
        async with self.cond:
            self.cond.notify_all()


messages = MessageBuffer()


class MessageNewHandler(tornado.web.RequestHandler):
    async def post(self):
        message = {"id": str(uuid.uuid4()), "body": self.get_argument("body")}
        message["html"] = f'<div class="message" id="m{message["id"]}"></div>'
        self.write(message)
        await messages.add_message(message)


class MessageUpdatesHandler(tornado.web.RequestHandler):
    async def get(self):
        cursor = self.get_argument("cursor", None)
        found = messages.get_messages_since(cursor)
        while not found:
            async with messages.cond:
                await messages.cond.wait()
            found = messages.get_messages_since(cursor)
        self.write({"messages": found})


class ChatSocketHandler(tornado.websocket.WebSocketHandler):
    waiters: ClassVar[set] = set()

    def open(self):
        ChatSocketHandler.waiters.add(self)

    def on_close(self):
        ChatSocketHandler.waiters.remove(self)

    def on_message(self, message):
        for waiter in self.waiters:
            waiter.write_message(message)


class KeptHandler(tornado.websocket.WebSocketHandler):
    """Each message committed, then answered."""

    def open(self):
        self.keep = commits.opened()

    def on_message(self, message):
        self.keep(message)
        self.write_message(message)


async def main():
    app = tornado.web.Application(
        [
            (r"/a/message/new", MessageNewHandler),
            (r"/a/message/updates", MessageUpdatesHandler),
            (r"/ws", ChatSocketHandler),
            (r"/kept", KeptHandler),
        ],
        log_function=lambda handler: None,
    )
    app.listen(int(sys.argv[1]), "127.0.0.1", backlog=4096)
    await asyncio.Event().wait()


asyncio.run(main())
