// One connection of Node's `ws`. Each line that comes in is sent; each thing that happens goes out as a line of JSON.
import { createInterface } from "node:readline";
import WebSocket from "ws";

const [address, subprotocol, cookie] = process.argv.slice(2);
const tell = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

const socket = new WebSocket(address, subprotocol, { headers: { Cookie: cookie }, perMessageDeflate: true });
socket.on("open", () => tell({ opened: socket.extensions }));
socket.on("message", (data) => tell({ text: data.toString() }));
socket.on("error", () => {}); // the close event comes behind it
socket.on("close", (code, reason) => tell({ closed: [code, reason.toString()] }));
createInterface({ input: process.stdin }).on("line", (line) => socket.send(line)).on("close", () => socket.close());
