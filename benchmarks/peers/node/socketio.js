// The chat of Socket.IO's tutorial, by WebSocket only: node socketio.js PORT
const { createServer } = require("node:http");
const { Server } = require("socket.io");

const server = createServer((request, response) => response.end()); // says that it is up
const io = new Server(server, { transports: ["websocket"], serveClient: false });

io.on("connection", (socket) => {
  socket.on("chat message", (text) => io.emit("chat message", text));
});
server.listen({ host: "127.0.0.1", port: Number(process.argv[2]), backlog: 4096 });
