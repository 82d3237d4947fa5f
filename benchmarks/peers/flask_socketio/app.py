"""A chat on Flask-SocketIO: gunicorn -k gevent -w 1 app:app"""

import os
import sys

from flask import Flask
from flask_socketio import SocketIO, emit

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import commits

app = Flask(__name__)
socketio = SocketIO(app, async_mode="gevent")
keep = commits.opened() if "KEPT" in os.environ else None


@socketio.on("chat message")
def chat(text):
    emit("chat message", text, broadcast=True)


@socketio.on("kept message")
def kept(text):
    keep(text)
    emit("chat message", text)
