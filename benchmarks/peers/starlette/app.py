"""A chat on Starlette: a set of sockets, and long polls that wait on an asyncio.Event.

uvicorn app:app --loop uvloop --http httptools
"""

import asyncio
import os
import sys

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import commits

BACKLOG = 500
clients: set[WebSocket] = set()
messages: list[dict] = []
arrival = asyncio.Event()


async def chat(socket: WebSocket) -> None:
    await socket.accept()
    clients.add(socket)
    try:
        while True:
            text = await socket.receive_text()
            publish(text)
            for client in list(clients):
                await client.send_text(text)
    except WebSocketDisconnect:
        pass
    finally:
        clients.discard(socket)


async def kept(socket: WebSocket) -> None:
    """Each message committed, then answered."""
    await socket.accept()
    keep = commits.opened()
    try:
        while True:
            text = await socket.receive_text()
            keep(text)
            await socket.send_text(text)
    except WebSocketDisconnect:
        pass


def publish(text: str) -> None:
    global arrival
    messages.append({"seq": messages[-1]["seq"] + 1 if messages else 1, "body": text})
    del messages[:-BACKLOG]
    arrived, arrival = arrival, asyncio.Event()
    arrived.set()


def after(cursor: int) -> list[dict]:
    if not messages or cursor >= messages[-1]["seq"]:
        return []
    return messages[max(0, cursor + 1 - messages[0]["seq"]) :]


async def poll(request: Request) -> Response:
    cursor = int(request.query_params["after"])
    if cursor < 0:
        return JSONResponse({"messages": [], "cursor": messages[-1]["seq"] if messages else 0})
    news = after(cursor)
    while not news:
        await arrival.wait()
        news = after(cursor)
    return JSONResponse({"messages": news, "cursor": news[-1]["seq"]})


async def post(request: Request) -> Response:
    publish((await request.body()).decode())
    return Response(status_code=201)


app = Starlette(
    routes=[
        WebSocketRoute("/ws", chat),
        WebSocketRoute("/kept", kept),
        Route("/poll", poll),
        Route("/post", post, methods=["POST"]),
    ]
)
