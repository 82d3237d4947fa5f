"""The chat of Channels' tutorial (its asynchronous consumer), in one file: daphne app:app"""

import os
import sys

import django
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.http import HttpResponse
from django.urls import path

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import commits

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    SECRET_KEY="of a benchmark",
    ROOT_URLCONF=__name__,
    # In this process; the tutorial has Redis, a second one. It drops what is over its capacity, else 100.
    CHANNEL_LAYERS={
        "default": {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": 100_000}}
    },
)
django.setup()

from django.core.asgi import get_asgi_application  # noqa: E402

urlpatterns = [path("healthz", lambda request: HttpResponse("ok"))]


class ChatConsumer(AsyncWebsocketConsumer):
    async def connect(self):
        await self.channel_layer.group_add("chat", self.channel_name)
        await self.accept()
        await self.send("joined")

    async def disconnect(self, code):
        await self.channel_layer.group_discard("chat", self.channel_name)

    async def receive(self, text_data):
        await self.channel_layer.group_send("chat", {"type": "chat.message", "message": text_data})

    async def chat_message(self, event):
        await self.send(text_data=event["message"])


class KeptConsumer(AsyncWebsocketConsumer):
    """Each message committed, then answered."""

    async def connect(self):
        self.keep = commits.opened()
        await self.accept()

    async def receive(self, text_data):
        self.keep(text_data)
        await self.send(text_data=text_data)


app = ProtocolTypeRouter(
    {
        "http": get_asgi_application(),
        "websocket": URLRouter([path("ws", ChatConsumer.as_asgi()), path("kept", KeptConsumer.as_asgi())]),
    }
)
