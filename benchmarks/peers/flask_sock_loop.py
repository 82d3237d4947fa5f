"""The plain chat that a tutorial ends with: flask-sock and simple-websocket as they come, and a loop.

gunicorn -k gevent flask_sock_loop:app
"""

from flask import Flask
from flask_sock import Sock

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
