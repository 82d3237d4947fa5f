"""The plain chat that a tutorial ends with: flask-sock and simple-websocket as they come, and a loop.

gunicorn -k gevent app:app
"""

import os
import sys

from flask import Flask
from flask_sock import Sock

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import commits

app = Flask(__name__)
sock = Sock(app)
clients = []


@sock.route("/ws")
def chat(socket):
    clients.append(socket)
    try:
        socket.send("connected ....")
        while True:
            data = socket.receive()
            for ws in clients:
                ws.send(data)
    finally:
        clients.remove(socket)


@sock.route("/kept")
def kept(socket):
    """Each message committed, then answered."""
    keep = commits.opened()
    while True:
        text = socket.receive()
        keep(text)
        socket.send(text)
